"""The files that describe a trained model, and their names next to its metrics in S3."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

EVALUATION, HISTORY, CARD = "evaluation.json", "history.json", "model-card.md"
PROGRAM_METRICS = "metrics.json"  # of the training program; its history has the metrics of each epoch
CONTENT_TYPES = {EVALUATION: "application/json", HISTORY: "application/json", CARD: "text/markdown"}
LARGEST_FILE = 64 * 2**20  # bytes


def of_folder(folder: Path) -> dict[str, bytes]:
    """Return the content of each file to store, by name, from the folder of the program's output."""
    names = (EVALUATION, PROGRAM_METRICS, CARD)
    return _to_store({name: (folder / name).read_bytes() for name in names if (folder / name).is_file()})


def of_archive(archive: IO[bytes]) -> dict[str, bytes]:
    """Return the same from output.tar.gz, the archive that SageMaker makes of that folder.

    Raises tarfile.TarError or EOFError for a damaged archive.
    """
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=archive, mode="r:gz") as packed:
        for member in packed:
            name = member.name.removeprefix("./")
            if (
                name in (EVALUATION, PROGRAM_METRICS, CARD)
                and member.isfile()
                and member.size <= LARGEST_FILE
            ):
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


def _to_store(files: dict[str, bytes]) -> dict[str, bytes]:
    """Replace the program's metrics by their history: `metrics.json` in S3 has the last value of each metric."""
    metrics = files.pop(PROGRAM_METRICS, None)
    if metrics is not None:
        history = json.loads(metrics).get("history", [])
        files[HISTORY] = json.dumps(history, indent=2).encode()
    return files
