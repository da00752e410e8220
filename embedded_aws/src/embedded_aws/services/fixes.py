"""What moto's server lacks or gets wrong, one file per service."""

from embedded_aws.runtime import Runtime
from embedded_aws.services.applicationautoscaling import tags as applicationautoscaling
from embedded_aws.services.budgets import responses as budgets
from embedded_aws.services.ec2 import security_groups as ec2
from embedded_aws.services.iam import responses as iam
from embedded_aws.services.s3 import models as s3
from embedded_aws.services.servicequotas import responses as servicequotas


def install(current: Runtime) -> None:
    """Install every fix, before moto's first request."""
    for service in (applicationautoscaling, budgets, ec2, iam, s3, servicequotas):
        service.install()
