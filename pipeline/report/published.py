"""The written report: open it, summarize it for --json; and the versions that its command names."""

from __future__ import annotations

import re
import webbrowser
from pathlib import Path
from typing import Any

from ops.console import say
from ops.errors import Refused
from pipeline.report.inputs import Inputs


def parse_pair(text: str) -> tuple[int, int]:
    """Return two versions from text such as `3,7`. Raises Refused for any other text."""
    found = re.fullmatch(r"\s*(\d+)\s*[, ]\s*(\d+)\s*", text)
    if found is None or int(found[1]) == int(found[2]):
        raise Refused(f"--compare {text}: name two different model versions, such as --compare 3,7.")
    return int(found[1]), int(found[2])


def show(path: Path) -> None:
    """Open the page in the browser, or say that there is none."""
    if not webbrowser.open(path.resolve().as_uri()):
        say(f"There is no browser here: copy {path} to a machine with one. It is a single file.")


def summary(path: Path, inputs: Inputs) -> dict[str, Any]:
    """Return the page's path and what it is about, for --json."""
    return {
        "report": str(path),
        "bytes": path.stat().st_size,
        "version": inputs.chosen.version.number if inputs.chosen else None,
        "compared": [model.version.number for model in inputs.compared or ()],
        "comparison": [vars(row) for row in inputs.launchers],
    }
