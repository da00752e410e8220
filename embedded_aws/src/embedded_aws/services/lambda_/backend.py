"""Lambda's records: moto's backend, corrected for qualifiers, policies, weights and provisioned concurrency."""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from moto.awslambda import urls
from moto.awslambda.exceptions import (
    FunctionAlreadyExists,
    InvalidParameterValueException,
    UnknownEventConfig,
)
from moto.awslambda.models import (
    EventInvokeConfig,
    FunctionUrlConfig,
    LambdaAlias,
    LambdaBackend,
    lambda_backends,
)
from moto.awslambda.policy import Policy

from embedded_aws import ACCOUNT_ID
from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_.exceptions import (
    PreconditionFailedException,
    ProvisionedConcurrencyConfigNotFoundException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from embedded_aws.services.lambda_.function import EmbeddedFunction
from embedded_aws.services.lambda_.invoker import Invoker
from embedded_aws.services.lambda_.pool import ACCOUNT_CONCURRENCY, MINIMUM_UNRESERVED

LATEST = "$LATEST"
DESTINATION_SERVICES = ("sqs", "sns", "lambda")


@dataclass(frozen=True)
class Target:
    """What a function's name and a qualifier stand for in one invocation."""

    function: EmbeddedFunction
    """The version to run."""

    latest: EmbeddedFunction
    """`$LATEST` of the function."""

    invoked_arn: str
    """The ARN that the handler finds in its context."""

    qualifier: str | None


class EmbeddedLambdaBackend(LambdaBackend):
    """moto's backend. Our records are attributes, so that they are saved with moto's.

    Their keys are (function name, qualifier); the qualifier is empty where the request names none.
    """

    runtime: Runtime
    _url_module = urls  # moto derives it from __module__ otherwise

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.provisioned: dict[tuple[str, str], dict[str, Any]] = {}
        self.url_configs: dict[tuple[str, str], FunctionUrlConfig] = {}
        self.invoke_configs: dict[tuple[str, str], EventInvokeConfig] = {}
        self.policies: dict[tuple[str, str], Policy] = {}
        self.pending_events: dict[str, dict[str, Any]] = {}

    # Names, versions, aliases

    @staticmethod
    def split(reference: str, qualifier: str | None = None) -> tuple[str, str | None]:
        """Return (name, qualifier) of a name, a partial ARN or a full ARN; each may end with a qualifier."""
        tail = reference.split("function:", 1)[1] if "function:" in reference else reference
        name, _, inline = tail.partition(":")
        if inline and qualifier and inline != qualifier:
            raise InvalidParameterValueException(
                "The derived qualifier from the function name does not match the specified qualifier."
            )
        return name, inline or qualifier

    def latest(self, reference: str) -> EmbeddedFunction:
        """Return `$LATEST` of a function. Raises UnknownFunctionException."""
        name, qualifier = self.split(reference)
        if name not in self._lambdas._functions:
            raise self._lambdas.construct_unknown_function_exception(name, qualifier)
        return self._lambdas._functions[name]["latest"]

    def latest_functions(self) -> list[EmbeddedFunction]:
        return [entry["latest"] for entry in list(self._lambdas._functions.values())]

    def versions(self, name: str) -> list[EmbeddedFunction]:
        """Return the published versions, oldest first."""
        return list(self._lambdas._functions[name]["versions"])

    def resolve(self, reference: str, qualifier: str | None) -> Target:
        """Return the version to run. An alias with weights chooses it at random.

        Raises UnknownFunctionException, InvalidParameterValueException.
        """
        name, qualifier = self.split(reference, qualifier)
        latest = self.latest(name)
        arn = f"{latest.unqualified_arn}:{qualifier}" if qualifier else latest.unqualified_arn
        version = qualifier or LATEST
        if alias := self._lambdas._get_function_aliases(name).get(version):
            version = random.choices(*zip(*_weights(alias).items(), strict=True))[0]
        return Target(self.get_function(name, version), latest, arn, qualifier)

    def check_qualifier(self, reference: str, qualifier: str | None) -> tuple[str, str | None]:
        """Return (name, qualifier). Raises UnknownFunctionException if either does not exist."""
        name, qualifier = self.split(reference, qualifier)
        self.get_function(name, qualifier)
        return name, qualifier

    def create_function(self, spec: dict[str, Any]) -> EmbeddedFunction:
        name, _ = self.split(spec["FunctionName"])
        if name in self._lambdas._functions:
            raise FunctionAlreadyExists(name)
        function = EmbeddedFunction(self.account_id, {**spec, "FunctionName": name}, self.region_name, LATEST)
        self._lambdas.put_function(function)
        return self.publish_version(name) if spec.get("Publish") else function

    def publish_version(
        self, function_name: str, description: str = "", code_sha256: str = "", revision_id: str = ""
    ) -> EmbeddedFunction:
        """Publish a version, or return the last one if code and configuration have not changed."""
        latest = self.latest(function_name)
        if code_sha256 and code_sha256 != latest.code_sha_256:
            raise InvalidParameterValueException(
                f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in $LATEST"
                f" ({latest.code_sha_256}). Please try again with the CodeSHA256 in $LATEST."
            )
        if revision_id and revision_id != latest.revision_id:
            raise PreconditionFailedException()
        published = self.versions(latest.function_name)
        if published and published[-1].published_from == latest.fingerprint():
            return published[-1]
        version = latest.new_version(description)
        self._lambdas._functions[latest.function_name]["versions"].append(version)
        self._lambdas._arns[version.function_arn] = version
        return version

    def update_function_code(
        self, function_name: str, qualifier: str | None, body: dict[str, Any]
    ) -> dict[str, Any]:
        latest = self._latest_for_update(function_name, body)
        configuration = latest.update_function_code(body)
        if body.get("Publish") and not body.get("DryRun"):
            return self.publish_version(latest.function_name).get_configuration()
        return configuration

    def update_function_configuration(
        self, function_name: str, qualifier: str | None, body: dict[str, Any]
    ) -> dict[str, Any]:
        return self._latest_for_update(function_name, body).update_configuration(body)

    def _latest_for_update(self, reference: str, body: dict[str, Any]) -> EmbeddedFunction:
        latest = self.latest(reference)
        if body.get("RevisionId", latest.revision_id) != latest.revision_id:
            raise PreconditionFailedException()
        return latest

    def delete_function(self, function_name: str, qualifier: str | None = None) -> None:
        name, qualifier = self.split(function_name, qualifier)
        if qualifier == LATEST:
            raise InvalidParameterValueException(
                "$LATEST version cannot be deleted without deleting the function."
            )
        self.get_function(name, qualifier)
        aliases = self._lambdas._get_function_aliases(name)
        if qualifier is not None:
            users = sorted(a.name for a in aliases.values() if qualifier in _weights(a))
            if users:
                raise ResourceConflictException(
                    f"Cannot delete version. The following aliases reference it: {users}"
                )
        # First the records that refer to it: the pool may read them at any moment.
        for records in (self.provisioned, self.url_configs, self.invoke_configs, self.policies):
            for key in [k for k in records if k[0] == name and qualifier in (None, k[1])]:
                del records[key]
        self._lambdas.del_function(name, qualifier)
        if qualifier is None:
            aliases.clear()

    def create_alias(
        self, name: str, function_name: str, function_version: str, description: str, routing_config: Any
    ) -> LambdaAlias:
        function, _ = self.split(function_name)
        self._check_weights(function, function_version, routing_config)
        if name in self._lambdas._get_function_aliases(function):
            arn = f"{self.latest(function).unqualified_arn}:{name}"
            raise ResourceConflictException(f"Alias already exists: {arn}")
        return super().create_alias(name, function, function_version, description, routing_config)

    def update_alias(
        self, name: str, function_name: str, function_version: str, description: str, routing_config: Any
    ) -> LambdaAlias:
        function, _ = self.split(function_name)
        alias = self.get_alias(name, function)
        version = function_version or alias.function_version
        self._check_weights(function, version, routing_config)
        return super().update_alias(name, function, version, description, routing_config)

    def delete_alias(self, name: str, function_name: str) -> None:
        function, _ = self.split(function_name)
        super().delete_alias(name, function)
        for records in (self.provisioned, self.url_configs, self.invoke_configs, self.policies):
            records.pop((function, name), None)

    def _check_weights(self, function: str, version: str, routing_config: Any) -> None:
        self.get_function(function, version)
        weights = (routing_config or {}).get("AdditionalVersionWeights") or {}
        if weights and (LATEST in weights or version == LATEST):
            raise InvalidParameterValueException(
                "$LATEST is not supported for an alias pointing to more than 1 version"
            )
        if len(weights) > 1 or version in weights or not all(0 <= w <= 1 for w in weights.values()):
            raise InvalidParameterValueException(
                f"Invalid function version in routing configuration: {weights}; one other version, weight 0 to 1."
            )
        for other in weights:
            self.get_function(function, other)

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
        return statement

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
        others = {v: round(count * w) for v, w in _weights(alias).items() if v != alias.function_version}
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
        response = self.runtime.get(Invoker).invoke(self.region_name, function_name, qualifier, payload)
        if response.function_error:
            response_headers["x-amz-function-error"] = response.function_error
        return response.payload


def backend_of(region: str) -> EmbeddedLambdaBackend:
    """Return the backend of a region."""
    return lambda_backends[ACCOUNT_ID][region]  # type: ignore[return-value]


def backends() -> list[EmbeddedLambdaBackend]:
    """Return the backends of all regions in use."""
    return list(lambda_backends[ACCOUNT_ID].values())  # type: ignore[arg-type]


def _weights(alias: LambdaAlias) -> dict[str, float]:
    """Return the share of invocations of each version."""
    others = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
    return {alias.function_version: 1 - sum(others.values()), **others}
