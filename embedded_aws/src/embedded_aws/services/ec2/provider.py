"""Amazon EC2 in moto's place: instances run their user data."""

from __future__ import annotations

import threading

from moto.ec2 import models, urls
from moto.ec2.models import instances, security_groups

from embedded_aws.runtime import Runtime
from embedded_aws.services.ec2 import metrics, service
from embedded_aws.services.ec2.backend import EmbeddedEC2Backend, EmbeddedInstance
from embedded_aws.services.ec2.responses import EmbeddedEC2Response
from embedded_aws.services.ec2.security_groups import EmbeddedSecurityGroupRule
from embedded_aws.services.ec2.service import InstanceService
from embedded_aws.services.provider import Provider, Routes


def provider(runtime: Runtime) -> Provider:
    running = InstanceService(runtime)
    runtime.add(running)
    service.install(running)

    def report() -> None:
        reporter = metrics.Reporter(runtime, running)
        threading.Thread(target=reporter.run, name="instance-metrics", daemon=True).start()

    return Provider(
        backends=[(models.ec2_backends, EmbeddedEC2Backend)],
        routes=[Routes(table=urls.url_paths, paths=["{0}/"], responses=EmbeddedEC2Response)],
        replaced=[
            (instances, "Instance", EmbeddedInstance),
            (security_groups, "SecurityGroupRule", EmbeddedSecurityGroupRule),
        ],
        on_start=[running.resume, report],
        on_stop=[running.halt],
    )
