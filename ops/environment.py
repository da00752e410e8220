"""One environment in its AWS account: settings, clients, names and stack outputs."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

import boto3

from ops import sessions
from ops.aws import role_session
from ops.outputs import Outputs
from ops.retries import RetryBudget, client_config
from ops.settings import Settings


class Environment:
    """Built once per command in `cli` and passed down as the first argument. Safe to use from several threads.

    settings: the operator's choices.
    session: the boto3 session behind the clients.
    outputs: the stack outputs, read when they are first used.
    """

    def __init__(self, settings: Settings, session: boto3.Session | None = None) -> None:
        """Use `session`, or one with the credentials and endpoint of the AWS_* variables, like any AWS tool."""
        self.settings = settings
        self.session = session or sessions.new(settings.region)
        self.outputs = Outputs(settings, lambda: self.client("ssm"))
        self._clients: dict[tuple[str, str], Any] = {}
        self._roles: dict[str, Environment] = {}
        self._retry_budget = RetryBudget()
        self._patience: float | None = None
        self._lock = threading.RLock()
        self._caller = self

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the boto3 client of a service in a region, by default the environment's; the same one on every call."""
        key = service, region or self.settings.region
        with self._lock:
            if key not in self._clients:
                config = client_config(service, self._patience)
                client = self.session.client(service, region_name=key[1], config=config)
                self._retry_budget.attach(client)
                self._clients[key] = client
            return self._clients[key]

    def with_patience(self, seconds: float) -> Environment:
        """Return this environment with clients that wait at most so long for an answer, repetitions included."""
        hurried = Environment(self.settings, self.session)
        hurried._retry_budget = RetryBudget(seconds, seconds)
        hurried._patience = seconds
        hurried._lock = self._lock  # one thread at a time asks the session for credentials
        return hurried

    def child_variables(self) -> dict[str, str]:
        """Return the AWS_* variables of a child process that acts as this environment's caller."""
        return sessions.child_variables(self.session, self.settings.region)

    def acting_as(self, role_arn: str) -> Environment:
        """Return this environment with clients that act as a role. The caller's own permissions read the outputs."""
        caller = self._caller
        with caller._lock:
            if role_arn not in caller._roles:
                session = role_session(caller.session, role_arn, lambda: caller.client("sts"))
                environment = Environment(caller.settings, session)
                environment.outputs = caller.outputs
                environment._caller, environment._retry_budget = caller, caller._retry_budget
                environment._patience = caller._patience
                caller._roles[role_arn] = environment
            return caller._roles[role_arn]

    @property
    def caller(self) -> Environment:
        """This environment acting as the command's caller, not as a role."""
        return self._caller

    @cached_property
    def account_id(self) -> str:
        """The AWS account of the credentials."""
        return str(self._caller.client("sts").get_caller_identity()["Account"])

    @property
    def partition(self) -> str:
        """The AWS partition of the region, e.g. "aws"."""
        return str(self.session.get_partition_for_region(self.settings.region))

    @property
    def data_bucket(self) -> str:
        """The bucket with the environment's data sets, programs and models; stack foundation creates it."""
        return f"{self.settings.prefix}-{self.account_id}-{self.settings.region}"

    @property
    def state_bucket(self) -> str:
        """The bucket with the Terraform states of all environments of the project in this account and region."""
        return f"{self.settings.project}-tfstate-{self.account_id}-{self.settings.region}"
