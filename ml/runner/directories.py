"""The folders of a training job, laid out as in SageMaker's training container."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class TrainingDirectories:
    """The folders below a base folder, which is /opt/ml in a container.

    base: the base folder.
    channels: channel name to folder; empty until `create`.
    """

    base: Path
    channels: dict[str, Path] = field(default_factory=dict)

    @property
    def code(self) -> Path:
        """The unpacked training program."""
        return self.base / "code"

    @property
    def model(self) -> Path:
        """The model artifact that the program writes."""
        return self.base / "model"

    @property
    def output(self) -> Path:
        """The program's other output, such as the failure reason."""
        return self.base / "output"

    @property
    def checkpoints(self) -> Path:
        """The checkpoints, shared with S3."""
        return self.base / "checkpoints"

    def create(self, channels: list[str]) -> None:
        """Create the folders. The results of a previous attempt are deleted."""
        self.channels = {name: self.base / "input" / "data" / name for name in channels}
        for results in (self.model, self.output):
            shutil.rmtree(results, ignore_errors=True)
        folders = (self.code, self.model, self.output / "data", self.checkpoints, *self.channels.values())
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)

    def variables(self) -> dict[str, str]:
        """Return the environment variables that SageMaker's toolkit sets for these folders."""
        return {
            "SAGEMAKER_BASE_DIR": str(self.base),
            "SM_MODEL_DIR": str(self.model),
            "SM_OUTPUT_DIR": str(self.output),
            "SM_OUTPUT_DATA_DIR": str(self.output / "data"),
            **{f"SM_CHANNEL_{name.upper()}": str(folder) for name, folder in self.channels.items()},
        }
