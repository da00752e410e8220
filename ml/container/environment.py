"""What SageMaker tells the training program: folders, channels and hosts, from the SM_ variables."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from errors import InputError


@dataclass(frozen=True)
class TrainingEnvironment:
    """The training container as the SageMaker toolkit describes it.

    channels: name to folder. checkpoint_dir: None when the job has no checkpoint location.
    hosts are in the toolkit's order; the first is the master.
    """

    channels: dict[str, Path]
    model_dir: Path
    output_dir: Path
    output_data_dir: Path
    checkpoint_dir: Path | None
    hosts: tuple[str, ...]
    current_host: str

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> TrainingEnvironment:
        """Read the SM_ variables; unset ones have the container's defaults under SAGEMAKER_BASE_DIR or /opt/ml."""
        base = Path(variables.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
        checkpoints = base / "checkpoints"
        hosts = tuple(json.loads(variables.get("SM_HOSTS", '["localhost"]')))
        output_dir = Path(variables.get("SM_OUTPUT_DIR", base / "output"))
        prefix = "SM_CHANNEL_"
        return cls(
            channels={
                name.removeprefix(prefix).lower(): Path(folder)
                for name, folder in variables.items()
                if name.startswith(prefix)
            },
            model_dir=Path(variables.get("SM_MODEL_DIR", base / "model")),
            output_dir=output_dir,
            output_data_dir=Path(variables.get("SM_OUTPUT_DATA_DIR", output_dir / "data")),
            checkpoint_dir=checkpoints if checkpoints.is_dir() else None,
            hosts=hosts,
            current_host=variables.get("SM_CURRENT_HOST", hosts[0]),
        )

    def channel(self, name: str) -> Path:
        """The folder of a required channel. Raises InputError naming it when it is missing."""
        if name not in self.channels:
            given = ", ".join(sorted(self.channels)) or "none"
            raise InputError(f"the job has no channel {name!r} (it has: {given}); add it to InputDataConfig")
        folder = self.channels[name]
        if not folder.is_dir():
            raise InputError(f"channel {name!r} has no folder {folder}; check the S3 prefix of the channel")
        return folder

    def weights(self, architecture: str) -> Path:
        """The state_dict file of the `weights` channel: the only one, or the one named after the architecture."""
        if "weights" not in self.channels:
            raise InputError(
                "--pretrained true needs a channel 'weights' with a torchvision state_dict; "
                "add the channel or train with --pretrained false"
            )
        files = sorted(path for path in self.channel("weights").rglob("*.pt*") if path.is_file())
        matching = [path for path in files if path.name.startswith(architecture)]
        chosen = matching or files
        if len(chosen) != 1:
            raise InputError(
                f"channel 'weights' has {len(chosen)} state_dict files for {architecture} (*.pt, *.pth); "
                f"it must have one, or one whose name starts with {architecture}"
            )
        return chosen[0]
