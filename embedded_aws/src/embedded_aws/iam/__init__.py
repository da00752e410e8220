"""IAM of the embedded AWS: every request is authenticated and authorised before moto sees it.

Only `install` and `RoleNotAssumable` are for others; the parts, in the order a request meets them: `authenticate`
(signatures), `request` (operation and parameters), `checks` and `objects` (actions and resources), `evaluate`
(policies), `decisions` (their record), `errors` (refusals).
"""

from collections.abc import Callable

from embedded_aws import credentials
from embedded_aws.iam import decisions, moto_checks, trust
from embedded_aws.iam.gate import Gate
from embedded_aws.iam.principals import Directory
from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.runtime import Runtime


def install(app: Callable, current: Runtime) -> Gate:
    """`app`, moto's dispatcher, behind a gate. Call before moto's first request."""
    root = credentials.root(current.home)
    trust.install(root.aws_access_key_id)
    moto_checks.install()
    decisions.install(current.folder("log"))
    directory = Directory(root.aws_access_key_id, root.aws_secret_access_key)
    return Gate(app, directory, lambda: current.changed(), lambda call: current.writing(call))


__all__ = ["Gate", "RoleNotAssumable", "install"]
