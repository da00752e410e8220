"""The training container's folders, channels and hosts, from the variables of the SageMaker toolkit."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from errors import InputError

_WEIGHTS = (".pt", ".pth", ".safetensors")
_CHANNEL_PREFIX = "SM_CHANNEL_"


@dataclass(kw_only=True, frozen=True, slots=True)
class TrainingEnvironment:
    """The training container as the SageMaker toolkit describes it.

    channels: channel name to folder.
    model_dir: folder for the model artifact.
    output_dir: folder for the failure reason.
    output_data_dir: folder for other results.
    checkpoint_dir: shared with S3; None when the job has no checkpoint location.
    hosts: host names in the toolkit's order; the first is the master.
    current_host: this host.
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
        """Read the SM_ variables. The defaults are the container's paths below SAGEMAKER_BASE_DIR or /opt/ml."""
        base = Path(variables.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
        checkpoints = base / "checkpoints"
        if "CHECKPOINTS_BY_JOB" in variables and checkpoints.is_dir():
            # The trials of a search have one location in S3, which SageMaker may download to each of them.
            checkpoints /= variables["TRAINING_JOB_NAME"]
            checkpoints.mkdir(exist_ok=True)
        hosts = tuple(json.loads(variables.get("SM_HOSTS", '["localhost"]')))
        output_dir = Path(variables.get("SM_OUTPUT_DIR", base / "output"))
        return cls(
            channels={
                name.removeprefix(_CHANNEL_PREFIX).lower(): Path(folder)
                for name, folder in variables.items()
                if name.startswith(_CHANNEL_PREFIX)
            },
            model_dir=Path(variables.get("SM_MODEL_DIR", base / "model")),
            output_dir=output_dir,
            output_data_dir=Path(variables.get("SM_OUTPUT_DATA_DIR", output_dir / "data")),
            checkpoint_dir=checkpoints if checkpoints.is_dir() else None,
            hosts=hosts,
            current_host=variables.get("SM_CURRENT_HOST", hosts[0]),
        )

    @property
    def splits(self) -> list[str]:
        """The splits that the job reads: train, valid and, when it has the channel, test."""
        return ["train", "valid", *(["test"] if "test" in self.channels else [])]

    def channel(self, name: str) -> Path:
        """Return the folder of a channel. Raises InputError when the job has no such channel."""
        if name not in self.channels:
            existing = ", ".join(sorted(self.channels)) or "none"
            raise InputError(
                f"the job has no channel {name!r} (it has: {existing}); add it to InputDataConfig"
            )
        folder = self.channels[name]
        if not folder.is_dir():
            raise InputError(f"channel {name!r} has no folder {folder}; check the S3 prefix of the channel")
        return folder

    def weights(self, architecture: str) -> Path:
        """Return the state_dict file of the `weights` channel.

        The channel has one file, or one that is named after the architecture, with `-` for a slash, alone or with `-` and
        a digest. Raises InputError otherwise.
        """
        if "weights" not in self.channels:
            raise InputError(
                "every --mode but from-scratch needs a channel 'weights' with a state_dict of the architecture; "
                "add the channel or train with --mode from-scratch"
            )
        files = sorted(path for path in self.channel("weights").rglob("*") if path.suffix in _WEIGHTS)
        name = architecture.replace("/", "-")
        matching = [path for path in files if path.name.startswith(f"{name}-") or path.stem == name]
        candidates = matching or files
        if len(candidates) != 1:
            raise InputError(
                f"channel 'weights' has {len(candidates)} state_dict files for {name} ({', '.join(_WEIGHTS)}); "
                f"it must have one, or one that is named {name} or starts with {name}-"
            )
        return candidates[0]
