"""What moto's server lacks or gets wrong, one file per service."""

from local_aws.fixes import applicationautoscaling, budgets, ec2, iam, s3, servicequotas
from local_aws.runtime import Runtime


def install(current: Runtime) -> None:
    """Install every fix, before moto's first request."""
    for service in (applicationautoscaling, budgets, ec2, iam, s3, servicequotas):
        service.install()
