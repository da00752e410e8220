"""The stack outputs: what each stack of an environment leaves in SSM for the other stacks and for the jobs.

Terraform writes each as JSON into one parameter below /<project>/<environment>/. Nothing else builds these paths.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ops.aws import error_code
from ops.documents import UnreadableDocument, decode
from ops.errors import OperatorError, Refused
from ops.settings import Settings

MAX_ENDPOINT_NAME = (
    54  # models and configurations append a hash to it, in 63 characters; the function's role 64
)


class MissingOutputs(Refused):
    """A stack has left no outputs: it is not applied yet."""


class OutdatedOutputs(UnreadableDocument):
    """A stack was applied by another version of this repository, or its outputs were changed since."""


class Network(BaseModel):
    """The private network of an environment, in which its training jobs run."""

    subnet_ids: list[str]
    training_security_group_ids: list[str]


class Foundation(BaseModel):
    """Outputs of stack foundation. network: None outside a private network."""

    account_id: str
    bucket: str
    kms_key_arn: str
    training_role_arn: str
    processing_role_arn: str
    tuning_role_arn: str
    endpoint_role_arn: str
    model_package_group_name: str
    model_package_group_arn: str
    ec2_log_group: str
    network: Network | None = None


class Serving(BaseModel):
    """Outputs of stack serving, of one endpoint.

    model_package_arn: the model version of the main variant.
    variants: the model version of each variant, the main one's first.
    hosting: "instance", "serverless" or "asynchronous". An asynchronous endpoint has no function.
    instance_type: None for a serverless endpoint.
    scheduled: whether a schedule changes the capacities.
    provisioned_qualifier: what provisioned concurrency applies to: the function's version, or its alias if a
        schedule sets it; None without provisioned concurrency.
    """

    endpoint_name: str
    endpoint_config_name: str
    model_package_arn: str
    variants: dict[str, str]
    hosting: str
    instance_type: str | None
    scaled_variants: list[str]
    min_capacity: int
    max_capacity: int
    scheduled: bool
    function_name: str | None
    function_alias: str | None
    function_alias_arn: str | None
    function_version: str | None
    provisioned_concurrency: int
    provisioned_qualifier: str | None


class KeptVariant(BaseModel):
    """A variant of a kept endpoint configuration. Terraform reads its other fields back."""

    model_config = ConfigDict(extra="allow")

    name: str
    model_name: str
    model_package_arn: str
    weight: float
    shadow: bool


class KeptConfiguration(BaseModel):
    """An endpoint configuration that stack serving keeps, so that an endpoint can be rolled back to it.

    key: the hash in the configuration's name.
    variants: the main one first.
    """

    model_config = ConfigDict(extra="allow")

    key: str
    execution_role_arn: str
    network_isolation: bool
    variants: list[KeptVariant] = Field(min_length=1)


class Workbench(BaseModel):
    """Outputs of stack workbench.

    kind: "studio" or "notebook".
    repository_uri: the archive of this repository that its home folder was made from.
    domain_id, file_system_id: of the Studio domain; None for a notebook instance.
    """

    name: str
    kind: str
    instance_type: str
    internet_access: bool
    repository_uri: str
    role_arn: str
    domain_id: str | None = None
    file_system_id: str | None = None


Model = TypeVar("Model")
_HISTORY = TypeAdapter(list[KeptConfiguration])


def parameter(settings: Settings, name: str = "") -> str:
    """Return the SSM parameter of some outputs, e.g. of "foundation"; without a name, the path of them all."""
    return f"/{settings.project}/{settings.environment}/{name}".rstrip("/")


def endpoint_name(settings: Settings, name: str | None) -> str:
    """Return the full name of an endpoint: `multi` means <project>-<environment>-multi. Raises OperatorError."""
    if not name or name == settings.prefix:
        return settings.prefix
    full = name if name.startswith(f"{settings.prefix}-") else f"{settings.prefix}-{name}"
    if len(full) > MAX_ENDPOINT_NAME or not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", full):
        raise OperatorError(
            f"--endpoint {name}: {full} is not a valid endpoint name: use at most {MAX_ENDPOINT_NAME} letters, digits "
            "and hyphens, for example multi."
        )
    return full


def endpoint_option(settings: Settings, name: str) -> str:
    """Return the option that names an endpoint in a command, with a space before it; empty for the default endpoint."""
    suffix = name.removeprefix(settings.prefix).removeprefix("-")
    return f" --endpoint {suffix}" if suffix else ""


class Outputs:
    """Reads the stack outputs of one environment."""

    def __init__(self, settings: Settings, ssm: Callable[[], Any]) -> None:
        """ssm: returns the SSM client; called when outputs are first read."""
        self._settings, self._ssm = settings, ssm

    @cached_property
    def foundation(self) -> Foundation:
        """The outputs of stack foundation, read once. Raises MissingOutputs or OutdatedOutputs."""
        settings = self._settings
        command = f"run ./inv apply --stack foundation{settings.flag}"
        value = self._read("foundation")
        if value is None:
            raise MissingOutputs(
                f"Environment {settings.environment} has no foundation (bucket, key, roles) yet: {command}."
            )
        return self._decode(Foundation, "foundation", value, "The foundation", command)

    def forget(self) -> None:
        """Read the foundation again when it is next used: it was applied or destroyed."""
        self.__dict__.pop("foundation", None)

    def serving(self, endpoint: str | None = None) -> Serving:
        """Return the outputs of an endpoint's stack; without a name, of the default endpoint.

        Raises MissingOutputs or OutdatedOutputs.
        """
        name = endpoint_name(self._settings, endpoint)
        command = f"run ./inv deploy{self._settings.flag}{endpoint_option(self._settings, name)}"
        value = self._read(f"serving/{name}")
        if value is None:
            raise MissingOutputs(f"There is no endpoint {name} yet: {command}.")
        return self._decode(Serving, f"serving/{name}", value, f"The endpoint {name}", command)

    def find_serving(self, endpoint: str) -> Serving | None:
        """Return the outputs of an endpoint's stack; None if they are missing or outdated, as before a deployment."""
        try:
            return self.serving(endpoint)
        except (MissingOutputs, OutdatedOutputs):
            return None

    def endpoints(self) -> list[str]:
        """Return the names of the endpoints that have outputs, sorted."""
        path = parameter(self._settings, "serving")
        pages = self._ssm().get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
        return sorted(p["Name"].removeprefix(f"{path}/") for page in pages for p in page["Parameters"])

    def kept_configurations(self, endpoint: str) -> list[KeptConfiguration]:
        """Return the endpoint configurations that an endpoint's stack keeps, newest first; none for a new endpoint."""
        value = self._read(f"endpoint_history/{endpoint}")
        if value is None:
            return []
        option = endpoint_option(self._settings, endpoint)
        command = f"run ./inv deploy{self._settings.flag}{option}, which writes it again"
        what = f"The configuration history of endpoint {endpoint}"
        return self._decode(_HISTORY, f"endpoint_history/{endpoint}", value, what, command)

    def workbench(self) -> Workbench:
        """Return the outputs of stack workbench. Raises MissingOutputs or OutdatedOutputs."""
        found = self.find_workbench()
        if found is None:
            raise MissingOutputs(
                f"Environment {self._settings.environment} has no workbench: "
                f"run ./inv workbench.up{self._settings.flag}."
            )
        return found

    def find_workbench(self) -> Workbench | None:
        """Return the outputs of stack workbench, or None if there is no workbench. Raises OutdatedOutputs."""
        value = self._read("workbench")
        if value is None:
            return None
        settings = self._settings
        command = f"run ./inv workbench.down{settings.flag}, then ./inv workbench.up{settings.flag}"
        return self._decode(Workbench, "workbench", value, "The workbench", command)

    def _read(self, name: str) -> str | None:
        """Return the text of a parameter, or None if there is no such parameter."""
        try:
            answer = self._ssm().get_parameter(Name=parameter(self._settings, name))
        except ClientError as error:
            if error_code(error) == "ParameterNotFound":
                return None
            raise
        return str(answer["Parameter"]["Value"])

    def _decode(
        self, kind: type[Model] | TypeAdapter[Model], name: str, text: str, what: str, command: str
    ) -> Model:
        path = parameter(self._settings, name)
        return decode(kind, text, what=f"{what} (parameter {path})", remedy=command, error=OutdatedOutputs)
