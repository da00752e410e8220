"""AWS IAM: changes to moto."""

from __future__ import annotations

from moto.iam import urls
from moto.iam.models import IAMBackend
from moto.s3 import models as s3

from embedded_aws.iam import moto_checks
from embedded_aws.runtime import Runtime
from embedded_aws.services.iam import managed_policies
from embedded_aws.services.iam.responses import EmbeddedIamResponse
from embedded_aws.services.provider import Provider, Routes


def provider(runtime: Runtime) -> Provider:
    return Provider(
        routes=[Routes(table=urls.url_paths, paths=["{0}/$"], responses=EmbeddedIamResponse)],
        replaced=[
            (IAMBackend, "_init_aws_policies", managed_policies.of_backend),
            (s3.FakeBucket, "get_permission", moto_checks.get_permission),
        ],
    )
