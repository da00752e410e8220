"""Lambda's records: resource policies, concurrency, function URLs, asynchronous invocation."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timezone
from typing import Any

from moto.awslambda import urls
from moto.awslambda.exceptions import (
    InvalidParameterValueException,
    UnknownEventConfig,
)
from moto.awslambda.models import (
    EventInvokeConfig,
    FunctionUrlConfig,
    lambda_backends,
)
from moto.awslambda.policy import Policy

from embedded_aws import ACCOUNT_ID
from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_.exceptions import (
    ProvisionedConcurrencyConfigNotFoundException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from embedded_aws.services.lambda_.invoker import Invoker
from embedded_aws.services.lambda_.pool import ACCOUNT_CONCURRENCY, MINIMUM_UNRESERVED
from embedded_aws.services.lambda_.versions import LATEST, VersionsBackend, version_weights

DESTINATION_SERVICES = ("sqs", "sns", "lambda")


class EmbeddedLambdaBackend(VersionsBackend):
    """moto's backend, with ours in front."""

    runtime: Runtime
    _url_module = urls  # moto derives it from __module__ otherwise

    # Resource policies

    def policy(self, reference: str, qualifier: str | None) -> Policy:
        """Return the resource policy of a function, version or alias."""
        name, qualifier = self.check_qualifier(reference, qualifier)
        return self.policies.setdefault((name, qualifier or ""), Policy(self.latest(name)))

    def add_permission(self, function_name: str, qualifier: str | None, raw: Any) -> dict[str, Any]:
        policy = self.policy(function_name, qualifier)
        request = json.loads(raw)
        sid = request["StatementId"]
        if any(statement["Sid"] == sid for statement in policy.statements):
            raise ResourceConflictException(
                f"The statement id ({sid}) provided already exists. Please provide a new statement id,"
                " or remove the existing statement."
            )
        auth_type = request.pop("FunctionUrlAuthType", None)
        _, qualifier = self.split(function_name, qualifier)
        statement, _ = policy.add_statement(json.dumps(request), qualifier)
        principal = statement["Principal"]
        if isinstance(principal, str) and re.fullmatch(r"\d{12}", principal):
            principal = f"arn:aws:iam::{principal}:root"
        if isinstance(principal, str) and principal.startswith("arn:"):
            statement["Principal"] = {"AWS": principal}
        if auth_type:
            condition = statement.setdefault("Condition", {}).setdefault("StringEquals", {})
            condition["lambda:FunctionUrlAuthType"] = auth_type
        return statement  # type: ignore[no-any-return]

    def remove_permission(
        self, function_name: str, sid: str, revision: str = "", qualifier: str | None = None
    ) -> None:
        self.policy(function_name, qualifier).del_statement(sid, revision)

    def get_policy(self, function_name: str, qualifier: str | None = None) -> str:
        return self.policy(function_name, qualifier).wire_format()

    # Concurrency

    def put_function_concurrency(self, function_name: str, reserved_concurrency: Any) -> Any:
        latest, reserved = self.latest(function_name), int(reserved_concurrency)
        others = sum(
            f.reserved_concurrency or 0
            for f in self.latest_functions()
            if f.function_name != latest.function_name
        )
        if ACCOUNT_CONCURRENCY - others - reserved < MINIMUM_UNRESERVED:
            raise InvalidParameterValueException(
                "Specified ReservedConcurrentExecutions for function decreases account's"
                f" UnreservedConcurrentExecution below its minimum value of [{MINIMUM_UNRESERVED}]."
            )
        if reserved < self._provisioned_total(latest.function_name):
            raise InvalidParameterValueException(
                "ReservedConcurrentExecutions is less than the function's provisioned concurrency:"
                f" {reserved} < {self._provisioned_total(latest.function_name)}."
            )
        latest.reserved_concurrency = reserved
        return reserved

    def delete_function_concurrency(self, function_name: str) -> None:
        self.latest(function_name).reserved_concurrency = None

    def put_provisioned(self, reference: str, qualifier: str | None, count: int) -> dict[str, Any]:
        """Record that a version or an alias needs `count` warm environments."""
        name, qualifier = self.check_qualifier(reference, qualifier)
        if not qualifier or self.resolve(name, qualifier).function.version == LATEST:
            raise InvalidParameterValueException(
                "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
            )
        elsewhere = {k: v for k, v in self.provisioned.items() if k[0] == name and k[1] != qualifier}
        taken = {version for _, other in elsewhere for version in self.shares(name, other, 1)}
        if taken & self.shares(name, qualifier, 1).keys():
            raise InvalidParameterValueException(
                "Alias can not be used for Provisioned Concurrency configuration on an already provisioned version"
            )
        if count < 1:
            raise InvalidParameterValueException("ProvisionedConcurrentExecutions must be at least 1.")
        total = count + sum(record["requested"] for record in elsewhere.values())
        reserved = self.latest(name).reserved_concurrency
        if reserved is not None and total > reserved:
            raise InvalidParameterValueException(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution"
                " for function"
            )
        if reserved is None and self._unreserved() - total < MINIMUM_UNRESERVED:
            raise InvalidParameterValueException(
                "Specified ConcurrentExecutions for function decreases account's"
                f" UnreservedConcurrentExecution below its minimum value of [{MINIMUM_UNRESERVED}]."
            )
        stamp = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+0000")
        self.provisioned[name, qualifier] = {"requested": count, "modified": stamp}
        return self.provisioned[name, qualifier]

    def get_provisioned(
        self, reference: str, qualifier: str | None
    ) -> tuple[tuple[str, str], dict[str, Any]]:
        name, qualifier = self.check_qualifier(reference, qualifier)
        if (record := self.provisioned.get((name, qualifier or ""))) is None:
            raise ProvisionedConcurrencyConfigNotFoundException()
        return (name, qualifier or ""), record

    def shares(self, name: str, qualifier: str, count: int) -> dict[str, int]:
        """Return the provisioned concurrency of each version, divided by the alias's weights."""
        alias = self._lambdas._get_function_aliases(name).get(qualifier)
        if alias is None:
            return {qualifier: count}
        others = {
            v: round(count * w) for v, w in version_weights(alias).items() if v != alias.function_version
        }
        return {alias.function_version: count - sum(others.values()), **others}

    def _provisioned_total(self, name: str) -> int:
        return sum(record["requested"] for key, record in self.provisioned.items() if key[0] == name)

    def _unreserved(self) -> int:
        """Return the account's concurrency that no function has reserved."""
        return ACCOUNT_CONCURRENCY - sum(f.reserved_concurrency or 0 for f in self.latest_functions())

    # Function URLs and asynchronous invocation, per qualifier

    def url_config(self, reference: str, qualifier: str | None) -> FunctionUrlConfig:
        name, qualifier = self.check_qualifier(reference, qualifier)
        if (config := self.url_configs.get((name, qualifier or ""))) is None:
            raise ResourceNotFoundException("The resource you requested does not exist.")
        return config

    def put_invoke_config(
        self, reference: str, qualifier: str | None, config: dict[str, Any], merge: bool
    ) -> EventInvokeConfig:
        """Record retries, age and destinations. merge: keep the settings that the request does not name."""
        name, qualifier = self.check_qualifier(reference, qualifier)
        for event, destination in (config.get("DestinationConfig") or {}).items():
            arn = (destination or {}).get("Destination") or ""
            if arn and arn.split(":")[2:3] not in [[s] for s in DESTINATION_SERVICES]:
                raise InvalidParameterValueException(
                    f"The embedded AWS does not deliver to the {event} destination {arn}: use SQS, SNS or Lambda."
                )
        key = (name, qualifier or LATEST)
        settings = {k: v for k, v in config.items() if k not in ("FunctionName", "Qualifier")}
        if merge and key in self.invoke_configs:
            settings = {**self.invoke_configs[key].config, **settings}
        settings.setdefault("DestinationConfig", {"OnSuccess": {}, "OnFailure": {}})
        arn = f"{self.latest(name).unqualified_arn}:{qualifier or LATEST}"
        self.invoke_configs[key] = EventInvokeConfig(arn, time.time(), settings)  # type: ignore[arg-type]
        return self.invoke_configs[key]

    def invoke_config(self, reference: str, qualifier: str | None) -> EventInvokeConfig:
        name, qualifier = self.split(reference, qualifier)
        latest = self.latest(name)
        if (config := self.invoke_configs.get((name, qualifier or LATEST))) is None:
            raise UnknownEventConfig(f"{latest.unqualified_arn}:{qualifier or LATEST}")
        return config

    def invoke(
        self, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any
    ) -> bytes:
        """Run a function for another service of moto, which waits for the response."""
        payload = body.encode() if isinstance(body, str) else body
        response = self.runtime.get(Invoker).invoke(self.region_name, function_name, qualifier, payload)  # type: ignore[type-abstract]
        if response.function_error:
            response_headers["x-amz-function-error"] = response.function_error
        return response.payload


def backend_of(region: str) -> EmbeddedLambdaBackend:
    """Return the backend of a region."""
    return lambda_backends[ACCOUNT_ID][region]  # type: ignore[return-value]


def backends() -> list[EmbeddedLambdaBackend]:
    """Return the backends of all regions in use."""
    return list(lambda_backends[ACCOUNT_ID].values())  # type: ignore[arg-type]
