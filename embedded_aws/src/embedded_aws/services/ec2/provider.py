"""Puts Amazon EC2 in moto's place."""

from __future__ import annotations

import threading

from moto.ec2 import models, urls, utils
from moto.ec2.models import instances, security_groups

from embedded_aws.runtime import Runtime
from embedded_aws.services.ec2 import ids, metrics
from embedded_aws.services.ec2.backend import EmbeddedEC2Backend
from embedded_aws.services.ec2.instances import EmbeddedInstance
from embedded_aws.services.ec2.responses import EmbeddedEC2Response
from embedded_aws.services.ec2.security_groups import EmbeddedSecurityGroupRule
from embedded_aws.services.ec2.service import InstanceService
from embedded_aws.services.provider import Provider, Routes


def provider(runtime: Runtime) -> Provider:
    """Return the changes to moto's EC2."""
    service = InstanceService(runtime)
    runtime.add(service)

    def report() -> None:
        reporter = metrics.Reporter(runtime, service)
        threading.Thread(target=reporter.run, name="instance-metrics", daemon=True).start()

    return Provider(
        backends=[(models.ec2_backends, EmbeddedEC2Backend)],
        routes=[Routes(table=urls.url_paths, paths=["{0}/"], responses=EmbeddedEC2Response)],
        replaced=[
            (instances, "Instance", EmbeddedInstance),
            (utils, "random_resource_id", ids.random_resource_id),
            (security_groups, "SecurityGroupRule", EmbeddedSecurityGroupRule),
        ],
        on_start=[service.resume, report],
        on_stop=[service.halt],
    )
