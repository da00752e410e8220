"""Save and restore the state of a training run between epochs."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch

from errors import InputError
from training_state import TrainingState

FILE_NAME = "checkpoint.pt"
_MEMBERS = {"run", "model", "optimizer", "scheduler", "scaler", "stopping", "average", "history"}


def save(folder: Path, state: TrainingState, run: dict[str, Any]) -> None:
    """Replace the checkpoint atomically: a reader, or SageMaker's upload, sees the old one or the new one.

    run: hyperparameters and classes. Only a run with the same values can resume from the checkpoint.
    """
    partial = folder / f"{FILE_NAME}.partial"
    content = {
        "run": run,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "scheduler": state.scheduler.state_dict(),
        "scaler": state.scaler.state_dict(),
        "stopping": state.stopping.state_dict(),
        "average": state.average and state.average.state_dict(),
        "history": state.history,
    }
    torch.save(content, partial)
    os.replace(partial, folder / FILE_NAME)


def read(folder: Path | None) -> bytes | None:
    """Return the checkpoint's bytes, or None when there is no checkpoint or no folder."""
    if folder is None or not (folder / FILE_NAME).is_file():
        return None
    return (folder / FILE_NAME).read_bytes()


def restore(data: bytes, state: TrainingState, run: dict[str, Any]) -> None:
    """Set the state to a checkpoint's.

    Raises InputError for the checkpoint of another run, or a damaged one.
    """
    content = _load(data)
    different = sorted(name for name in run if run[name] != content["run"].get(name))
    if different:
        raise InputError(
            f"the checkpoint is from another run: {', '.join(different)} differ; use an empty checkpoint location"
        )
    state.model.load_state_dict(content["model"])
    state.optimizer.load_state_dict(content["optimizer"])
    state.scheduler.load_state_dict(content["scheduler"])
    state.scaler.load_state_dict(content["scaler"])
    state.stopping.load_state_dict(content["stopping"])
    if state.average is not None:
        state.average.load_state_dict(content["average"])
    state.history[:] = content["history"]


def _load(data: bytes) -> dict[str, Any]:
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # Anything can be raised for any bytes. weights_only refuses code.
    except Exception as error:
        raise InputError(_damaged(len(data))) from error
    if not isinstance(content, dict) or not content.keys() >= _MEMBERS:
        raise InputError(_damaged(len(data)))
    return content


def _damaged(size: int) -> str:
    return (
        f"{FILE_NAME} ({size} bytes) is not a checkpoint of this program, or is damaged; delete it, or use an empty "
        "checkpoint location, to train from the start"
    )
