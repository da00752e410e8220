"""Puts the access control in front of moto."""

from __future__ import annotations

from collections.abc import Callable

from embedded_aws import credentials
from embedded_aws.iam import decisions, trust
from embedded_aws.iam.gate import Gate
from embedded_aws.iam.principals import Directory
from embedded_aws.runtime import Runtime


def install(app: Callable, runtime: Runtime) -> Gate:
    """Return `app`, moto's dispatcher, behind a gate. Call before moto's first request."""
    root = credentials.root(runtime.home)
    decisions.install(runtime.folder("log"))
    runtime.assume_role = trust.assume_for_service
    directory = Directory(root.aws_access_key_id, root.aws_secret_access_key)
    gate = Gate(app, directory, lambda: runtime.changed(), lambda call: runtime.writing(call))
    runtime.add(gate)
    return gate
