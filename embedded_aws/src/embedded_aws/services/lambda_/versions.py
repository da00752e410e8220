"""Versions and aliases of functions: moto's backend, corrected for qualifiers and weights."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from moto.awslambda import urls
from moto.awslambda.exceptions import (
    FunctionAlreadyExists,
    InvalidParameterValueException,
)
from moto.awslambda.models import (
    EventInvokeConfig,
    FunctionUrlConfig,
    LambdaAlias,
    LambdaBackend,
)
from moto.awslambda.policy import Policy

from embedded_aws.services.lambda_.exceptions import (
    PreconditionFailedException,
    ResourceConflictException,
)
from embedded_aws.services.lambda_.function import EmbeddedFunction

LATEST = "$LATEST"


@dataclass(frozen=True)
class Target:
    """The version to which a name and a qualifier resolve in one invocation."""

    function: EmbeddedFunction
    """The version to run."""

    latest: EmbeddedFunction
    """`$LATEST` of the function."""

    invoked_arn: str
    """The ARN that the handler finds in its context."""

    qualifier: str | None


class VersionsBackend(LambdaBackend):
    """moto's backend, with qualifiers. Our records are attributes, so that they are saved with moto's.

    Their keys are (function name, qualifier); the qualifier is empty where the request names none.
    """

    _url_module = urls  # moto derives it from __module__ otherwise

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.provisioned: dict[tuple[str, str], dict[str, Any]] = {}
        self.url_configs: dict[tuple[str, str], FunctionUrlConfig] = {}
        self.invoke_configs: dict[tuple[str, str], EventInvokeConfig] = {}
        self.policies: dict[tuple[str, str], Policy] = {}
        self.pending_events: dict[str, dict[str, Any]] = {}

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
        return self._lambdas._functions[name]["latest"]  # type: ignore[no-any-return]

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
            version = random.choices(*zip(*version_weights(alias).items(), strict=True))[0]
        return Target(self.get_function(name, version), latest, arn, qualifier)  # type: ignore[arg-type]

    def check_qualifier(self, reference: str, qualifier: str | None) -> tuple[str, str | None]:
        """Return (name, qualifier). Raises UnknownFunctionException if either does not exist."""
        name, qualifier = self.split(reference, qualifier)
        self.get_function(name, qualifier)
        return name, qualifier

    def create_function(self, spec: dict[str, Any]) -> EmbeddedFunction:
        name, _ = self.split(spec["FunctionName"])
        if name in self._lambdas._functions:
            raise FunctionAlreadyExists(name)
        function = EmbeddedFunction(self.account_id, {**spec, "FunctionName": name}, self.region_name, LATEST)  # type: ignore[abstract]
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
            users = sorted(a.name for a in aliases.values() if qualifier in version_weights(a))
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


def version_weights(alias: LambdaAlias) -> dict[str, float]:
    """Return the share of invocations of each version."""
    others = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}  # type: ignore[call-overload, union-attr]
    return {alias.function_version: 1 - sum(others.values()), **others}
