"""The files that describe a trained model, and their names next to its metrics in S3."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

EVALUATION, HISTORY, CARD = "evaluation.json", "history.json", "model-card.md"
PROGRAM_METRICS = "metrics.json"  # of the training program; its history has the metrics of each epoch
EVENTS = "tensorboard/"  # the folder of TensorBoard's event files
LARGEST_FILE = 64 * 2**20  # bytes
_CONTENT_TYPES = {EVALUATION: "application/json", HISTORY: "application/json", CARD: "text/markdown"}


def content_type(name: str) -> str:
    """Return the media type of a file."""
    return _CONTENT_TYPES.get(name, "application/octet-stream")


def of_folder(folder: Path) -> dict[str, bytes]:
    """Return the content of each file to store, by name, from the folder of the program's output."""
    files = {
        path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return _to_store({name: path.read_bytes() for name, path in files.items() if _is_kept(name)})


def of_archive(archive: IO[bytes]) -> dict[str, bytes]:
    """Return the same from output.tar.gz, the archive that SageMaker makes of that folder.

    Raises tarfile.TarError or EOFError for a damaged archive.
    """
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=archive, mode="r:gz") as packed:
        for member in packed:
            name = member.name.removeprefix("./")
            if _is_kept(name) and member.isfile() and member.size <= LARGEST_FILE:
                content = packed.extractfile(member)
                assert content is not None  # it is a file
                found[name] = content.read()
    return _to_store(found)


def evaluation(files: Mapping[str, bytes]) -> dict[str, Any] | None:
    """Return the content of evaluation.json; None if there is none."""
    if EVALUATION not in files:
        return None
    found: dict[str, Any] = json.loads(files[EVALUATION])
    return found


def _is_kept(name: str) -> bool:
    return name in (EVALUATION, PROGRAM_METRICS, CARD) or (name.startswith(EVENTS) and ".." not in name)


def _to_store(files: dict[str, bytes]) -> dict[str, bytes]:
    """Replace the program's metrics by their history: `metrics.json` in S3 has the last value of each metric."""
    metrics = files.pop(PROGRAM_METRICS, None)
    if metrics is not None:
        history = json.loads(metrics).get("history", [])
        files[HISTORY] = json.dumps(history, indent=2).encode()
    return files
