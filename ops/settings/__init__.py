"""Every choice an operator makes for an environment: environments/<name>.toml, validated on load."""

from __future__ import annotations

import os
import sys
from typing import Any, get_args, get_origin

from pydantic import Field, ValidationError, model_validator

from ops.errors import OperatorError
from ops.paths import ROOT
from ops.settings.access import AccessSettings
from ops.settings.ec2 import HostSettings
from ops.settings.function import FunctionSettings
from ops.settings.jobs import ModelSettings, TrainingSettings, TuningSettings
from ops.settings.network import NetworkSettings
from ops.settings.operations import BudgetSettings, ObservabilitySettings, TagSettings
from ops.settings.section import LogRetention, Section
from ops.settings.serving import ServingSettings
from ops.settings.storage import StorageSettings
from ops.settings.workbench import WorkbenchSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = ROOT / "environments"


class Settings(Section):
    """One environment."""

    environment: str = Field(pattern=r"^[a-z][a-z0-9]*$")
    project: str = Field("image-classifier", pattern=r"^[a-z][a-z0-9-]*[a-z0-9]$")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    embedded_aws: bool = False
    dataset: str = "sample"
    log_retention_days: LogRetention = 365
    key_deletion_window_days: int = Field(30, ge=7, le=30)
    access: AccessSettings = AccessSettings()
    tags: TagSettings = TagSettings()
    budget: BudgetSettings = BudgetSettings()
    observability: ObservabilitySettings = ObservabilitySettings()
    storage: StorageSettings = StorageSettings()
    network: NetworkSettings = NetworkSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    ec2: HostSettings = HostSettings()
    tuning: TuningSettings
    serving: ServingSettings = ServingSettings()
    function: FunctionSettings = FunctionSettings()
    workbench: WorkbenchSettings = WorkbenchSettings()

    @model_validator(mode="after")
    def _short(self):
        if len(self.prefix) > 24:
            raise ValueError(
                f"project and environment, {self.prefix!r}, are longer than 24 characters together: "
                "the name of a tuning job has 32 in all"
            )
        return self

    @property
    def prefix(self) -> str:
        """What every resource name of the environment starts with."""
        return f"{self.project}-{self.environment}"

    @property
    def cost_tags(self) -> dict[str, str]:
        """Tags of everything of the environment: Application is the one that its budget counts."""
        return {"Application": self.prefix, **self.tags.values()}

    @property
    def flag(self) -> str:
        """The --env flag that a command to type next needs; empty for the default environment."""
        return "" if self.environment == _default() else f" --env {self.environment}"


def names() -> list[str]:
    """The environments there are."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(environment: str | None = None) -> Settings:
    """Settings of an environment; without a name, of $INVOKE_ENV or `local`.

    Raises OperatorError for an unknown environment, and for a wrong value, by name.
    """
    environment = environment or _default()
    path = FOLDER / f"{environment}.toml"
    if environment not in names():
        raise OperatorError(
            f"There is no environment {environment!r}: choose one of {', '.join(names())}, or write {path}."
        )
    try:
        return Settings(**{**tomllib.loads(path.read_text()), "environment": environment})
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        wrong = "; ".join(_sentence(e) for e in error.errors())
        raise OperatorError(f"{path}: {wrong}.") from error


def _default() -> str:
    return os.environ.get("INVOKE_ENV") or "local"


def _sentence(error) -> str:
    place = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = f"there is no such setting; there are {', '.join(_known(error['loc'][:-1]))}"
    given = error["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{place or 'file'}: {message}{shown}"


def _known(section: tuple) -> list[str]:
    """The settings of a section, by its place in the file."""
    kind: Any = Settings
    for part in section:
        if get_origin(kind) in (dict, list):  # `part` is a key of the operator's, or a place in the list
            kind = get_args(kind)[-1]
        else:
            kind = _present(kind).model_fields[part].annotation
    return sorted(set(_present(kind).model_fields) - {"environment"})


def _present(kind: Any) -> Any:
    """The section that an optional one is, if it is there."""
    return next((argument for argument in get_args(kind) if argument is not type(None)), kind)
