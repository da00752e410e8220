"""AWS Systems Manager in moto's place."""

from __future__ import annotations

from moto.ssm import models

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider
from embedded_aws.services.ssm.models import LocalSystemsManagerBackend


def provider(runtime: Runtime) -> Provider:
    return Provider(backends=[(models.ssm_backends, LocalSystemsManagerBackend)])
