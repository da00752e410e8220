"""IAM of the embedded AWS: every request is authenticated and authorised before moto sees it."""

from local_aws.access.gate import Gate

__all__ = ["Gate"]
