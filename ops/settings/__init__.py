"""The settings of an environment: environments/<name>.toml, validated on load. docs/settings.md lists them."""

from __future__ import annotations

import os
import sys
from typing import Any, get_args, get_origin

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from ops.errors import OperatorError
from ops.paths import ROOT
from ops.settings.access import AccessSettings
from ops.settings.data import DataSettings
from ops.settings.ec2 import HostSettings
from ops.settings.function import FunctionSettings
from ops.settings.jobs import ModelSettings, TrainingSettings
from ops.settings.model_card import ModelCardSettings
from ops.settings.network import NetworkSettings
from ops.settings.operations import BudgetSettings, ObservabilitySettings, TagSettings
from ops.settings.recipe import RecipeSettings
from ops.settings.section import LogRetention, Section
from ops.settings.serving import ServingSettings
from ops.settings.storage import StorageSettings
from ops.settings.tuning import TuningSettings
from ops.settings.workbench import WorkbenchSettings
from ops.text import read_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = ROOT / "environments"


class Settings(Section):
    """Settings of an environment."""

    environment: str = Field(
        pattern=r"^[a-z][a-z0-9]*$", description="Name of the environment: the name of its file."
    )
    project: str = Field(
        "image-classifier",
        pattern=r"^[a-z][a-z0-9-]*[a-z0-9]$",
        description="Name of the project. Resource names start with it and the environment.",
    )
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", description="AWS region.")
    embedded_aws: bool = Field(False, description="Use the embedded AWS of this machine, not an AWS account.")
    dataset: str = Field(
        "sample", description="Images to upload: sample, dogs, or the path or URL of a folder or zip file."
    )
    log_retention_days: LogRetention = Field(365, description="Days for which log groups keep entries.")
    key_deletion_window_days: int = Field(
        30, ge=7, le=30, description="Days between the request to delete the KMS key and its deletion."
    )
    access: AccessSettings = AccessSettings()
    tags: TagSettings = TagSettings()
    budget: BudgetSettings = BudgetSettings()
    observability: ObservabilitySettings = ObservabilitySettings()
    storage: StorageSettings = StorageSettings()
    data: DataSettings = DataSettings()
    network: NetworkSettings = NetworkSettings()
    model: ModelSettings = ModelSettings()
    model_card: ModelCardSettings = ModelCardSettings()
    training: TrainingSettings = TrainingSettings()
    recipe: RecipeSettings = RecipeSettings()
    ec2: HostSettings = HostSettings()
    tuning: TuningSettings
    serving: ServingSettings = ServingSettings()
    function: FunctionSettings = FunctionSettings()
    workbench: WorkbenchSettings = WorkbenchSettings()

    @model_validator(mode="after")
    def _check_prefix(self) -> Settings:
        if len(self.prefix) > 24:
            raise ValueError(
                f"{self.prefix!r}, the project and environment, has more than 24 characters: shorten one of them, "
                "as a tuning job's name may have 32 in total"
            )
        return self

    @property
    def prefix(self) -> str:
        """Prefix of the names of all resources."""
        return f"{self.project}-{self.environment}"

    @property
    def cost_tags(self) -> dict[str, str]:
        """Tags of all resources. The budget counts costs by tag Application."""
        return {"Application": self.prefix, **self.tags.values()}

    @property
    def flag(self) -> str:
        """Option --env of a suggested command; empty for the default environment."""
        return "" if self.environment == _default() else f" --env {self.environment}"


def names() -> list[str]:
    """Return the names of all environments."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(environment: str | None = None) -> Settings:
    """Return the settings of an environment, by default of $INVOKE_ENV or `local`.

    Raises:
        OperatorError: The environment is unknown, or a setting is invalid.
    """
    environment = environment or _default()
    path = FOLDER / f"{environment}.toml"
    if environment not in names():
        raise OperatorError(
            f"Unknown environment {environment!r}: choose one of {', '.join(names())}, or create {path}."
        )
    return parse(read_file(path), environment, str(path))


def parse(text: str, environment: str, path: str) -> Settings:
    """Return the settings in the text of a file. path: of the file, for messages. Raises OperatorError."""
    try:
        return Settings(**{**tomllib.loads(text), "environment": environment})
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        wrong = "; ".join(_sentence(e) for e in error.errors())
        raise OperatorError(f"{path}: {wrong}.") from error


def _default() -> str:
    return os.environ.get("INVOKE_ENV") or "local"


def _sentence(error: ErrorDetails) -> str:
    """Return a validation error as `setting: problem (given: value)`."""
    place = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = f"unknown setting; valid settings are {', '.join(_known(error['loc'][:-1]))}"
    given = error["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{place or 'file'}: {message}{shown}"


def _known(section: tuple[int | str, ...]) -> list[str]:
    """Return the names of the settings of a section."""
    kind: Any = Settings
    for part in section:
        if get_origin(kind) in (dict, list):  # `part` is a key or an index
            kind = get_args(kind)[-1]
        else:
            kind = _present(kind).model_fields[str(part)].annotation
    return sorted(set(_present(kind).model_fields) - {"environment"})


def _present(kind: Any) -> Any:
    """Return the section type of an optional section."""
    return next((argument for argument in get_args(kind) if argument is not type(None)), kind)
