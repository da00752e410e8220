"""The outcome of a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from embedded_aws.services.sagemaker.training.run import failure_reason


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        ("it broke\n", 1, "AlgorithmError: it broke, exit code: 1"),
        (None, 2, "AlgorithmError: , exit code: 2"),
        (None, -9, "instance type with more memory.* exit code: 137"),
        ("x" * 5000, 1, "x, exit code: 1"),
    ],
)
def test_failure_reason_has_the_message_and_the_exit_code(
    tmp_path: Path, failure: str | None, status: int, reason: str
) -> None:
    (tmp_path / "output").mkdir()
    if failure:
        (tmp_path / "output/failure").write_text(failure)
    text = failure_reason(tmp_path, status)
    assert len(text) <= 1024
    assert re.search(reason, text)
