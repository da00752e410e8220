"""The record of a function or of one of its versions: moto's, corrected and completed."""

from __future__ import annotations

import copy
import json
import re
import uuid
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException, ValidationException
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.core.utils import iso_8601_datetime_with_nanoseconds

from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_ import code
from embedded_aws.services.lambda_.invoker import Invoker

MAX_ENVIRONMENT_BYTES = 4096
RESERVED_VARIABLES = frozenset(
    [
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    ]
)
# Settings that moto does not keep, with AWS's defaults. None is left out of responses.
ECHOED: dict[str, Any] = {"DeadLetterConfig": None, "LoggingConfig": {}}


class EmbeddedFunction(LambdaFunction):
    """`$LATEST` of a function, or a published version: a copy that does not change."""

    def __init__(self, account_id: str, spec: dict[str, Any], region: str, version: str) -> None:
        check_specification(spec)
        if not spec.get("Handler"):
            raise InvalidParameterValueException(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            )
        try:
            super().__init__(account_id, spec, region, version)
        except ValueError as error:  # moto raises it if the S3 object is missing
            raise InvalidParameterValueException(str(error.args[-1])) from error
        self._check_code()
        self.revision_id = str(uuid.uuid4())
        self.last_version = 0
        self.published_from: str | None = None
        self.echoed: dict[str, Any] = {key: spec.get(key, default) for key, default in ECHOED.items()}

    @property
    def unqualified_arn(self) -> str:
        return ":".join(self.function_arn.split(":")[:7])

    @property
    def key(self) -> str:
        """Identifies the version, its configuration and its code."""
        return f"{self.unqualified_arn}:{self.version}:{self.revision_id}"

    @property
    def logging_config(self) -> dict[str, Any]:
        return {"LogFormat": "Text", "LogGroup": self.logs_group_name, **(self.echoed["LoggingConfig"] or {})}

    def get_configuration(self, on_create: bool = False) -> dict[str, Any]:
        configuration = super().get_configuration(on_create)
        configuration |= self.echoed | {
            "LoggingConfig": self.logging_config,
            "RevisionId": self.revision_id,
            "LastUpdateStatus": "Successful",
        }
        if not (configuration["DeadLetterConfig"] or {}).get("TargetArn"):
            configuration["DeadLetterConfig"] = None
        return {key: value for key, value in configuration.items() if value is not None}

    def get_code(self) -> dict[str, Any]:
        response = super().get_code()
        if self.reserved_concurrency is not None:
            response["Concurrency"] = {"ReservedConcurrentExecutions": self.reserved_concurrency}
        return response

    def update_configuration(self, config_updates: dict[str, Any]) -> dict[str, Any]:
        check_specification({"Runtime": self.run_time, **config_updates})
        updates = dict(config_updates)
        if "Environment" in updates:
            self.environment_vars = (updates.pop("Environment") or {}).get("Variables") or {}
        if "EphemeralStorage" in updates:
            self.ephemeral_storage = updates.pop("EphemeralStorage")["Size"]
        for key, attribute in (("TracingConfig", "tracing_config"), ("KMSKeyArn", "kms_key_arn")):
            if key in updates:
                setattr(self, attribute, updates.pop(key) or None)
        for key in ECHOED.keys() & updates.keys():
            self.echoed = {**self.echoed, key: updates[key]}
        super().update_configuration(updates)
        self._touch()
        return self.get_configuration()

    def update_function_code(self, updated_spec: dict[str, Any]) -> dict[str, Any]:
        if updated_spec.get("DryRun"):
            return self.get_configuration()
        if "ImageUri" in updated_spec:
            raise InvalidParameterValueException("The embedded AWS does not run container images.")
        before = copy.copy(self.__dict__)
        try:
            self._set_function_code(updated_spec)
            self._check_code()
        except (ValueError, InvalidParameterValueException) as error:
            self.__dict__ = before
            raise InvalidParameterValueException(str(getattr(error, "message", error.args[-1]))) from error
        if "Architectures" in updated_spec:
            self.architectures = updated_spec["Architectures"]
        self._touch()
        return self.get_configuration()

    def new_version(self, description: str) -> EmbeddedFunction:
        """Return a new version of this `$LATEST`."""
        self.last_version += 1
        version = copy.copy(self)
        version.code = dict(self.code)
        version.set_version(self.last_version)
        version.revision_id = str(uuid.uuid4())
        version.published_from = self.fingerprint()
        if description:
            version.description = description
        return version

    def fingerprint(self) -> str:
        """Return a text that is equal for equal code and configuration."""
        volatile = ("FunctionArn", "Version", "LastModified", "RevisionId")
        configuration = {k: v for k, v in self.get_configuration().items() if k not in volatile}
        return json.dumps(configuration, sort_keys=True, default=str)

    def invoke(self, body: str, request_headers: Any, response_headers: Any) -> str | bytes:
        """Queue an event from another service of moto, such as an S3 notification."""
        runtime: Runtime = lambda_backends[self.account_id][self.region].runtime  # type: ignore[attr-defined]
        runtime.get(Invoker).submit(self.region, self.function_name, None, body.encode())  # type: ignore[type-abstract]
        return b""

    def _touch(self) -> None:
        self.last_modified = iso_8601_datetime_with_nanoseconds()
        self.revision_id = str(uuid.uuid4())

    def _check_code(self) -> None:
        if refusal := code.check(self.code_bytes):
            raise InvalidParameterValueException(refusal)


def check_specification(spec: dict[str, Any]) -> None:
    """Raise InvalidParameterValueException or ValidationException for settings that are not supported."""
    if spec.get("PackageType", "Zip") != "Zip" or "ImageUri" in spec.get("Code", {}):
        raise InvalidParameterValueException(
            "The embedded AWS does not run container images: use a zip package."
        )
    runtime = spec.get("Runtime") or ""
    if not re.fullmatch(r"python3\.\d+", runtime):
        raise InvalidParameterValueException(
            f"The embedded AWS does not have the runtime '{runtime}': use a python3 runtime."
        )
    if spec.get("FileSystemConfigs"):
        raise InvalidParameterValueException("The embedded AWS does not support FileSystemConfigs.")
    if (spec.get("SnapStart") or {}).get("ApplyOn", "None") != "None":
        raise InvalidParameterValueException(
            "The embedded AWS does not support SnapStart: use provisioned concurrency."
        )
    name = spec.get("FunctionName", "f").rsplit(":", 1)[-1]
    if not re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", name):
        raise ValidationException(
            name, "functionName", "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]{1,64}"
        )
    _check_range(spec, "Timeout", "timeout", 1, 900)
    _check_range(spec, "MemorySize", "memorySize", 128, 10240)
    _check_variables((spec.get("Environment") or {}).get("Variables") or {})
    target = (spec.get("DeadLetterConfig") or {}).get("TargetArn") or ""
    if target and target.split(":")[2:3] not in (["sqs"], ["sns"]):
        raise InvalidParameterValueException(
            f"The provided DLQ target '{target}' is not an SQS queue or an SNS topic."
        )


def _check_range(spec: dict[str, Any], key: str, property_name: str, low: int, high: int) -> None:
    value = spec.get(key)
    if value is not None and not low <= value <= high:
        bound = f"less than or equal to {high}" if value > high else f"greater than or equal to {low}"
        raise ValidationException(str(value), property_name, f"Member must have value {bound}")


def _check_variables(variables: dict[str, str]) -> None:
    failed = "Lambda was unable to configure your environment variables because the environment variables you have provided"
    if reserved := sorted(RESERVED_VARIABLES & variables.keys()):
        raise InvalidParameterValueException(
            f"{failed} contains reserved keys that are currently not supported for modification."
            f" Reserved keys used in this request: {', '.join(reserved)}"
        )
    if len(json.dumps(variables, separators=(",", ":")).encode()) > MAX_ENVIRONMENT_BYTES:
        raise InvalidParameterValueException(f"{failed} exceeded the 4KB limit.")
