"""The outcome of a run."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.training.run import INTERNAL_ERROR, TrainingRun, failure_reason


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


@pytest.mark.parametrize(
    ("strategy", "errors", "attempts", "status"),
    [
        ({}, 1, 1, "Failed"),
        ({"RetryStrategy": {"MaximumRetryAttempts": 1}}, 1, 2, "Completed"),
        ({"RetryStrategy": {"MaximumRetryAttempts": 2}}, 9, 3, "Failed"),
    ],
)
def test_a_job_starts_again_after_an_internal_error_as_often_as_requested(
    tmp_path: Path, strategy: dict[str, Any], errors: int, attempts: int, status: str
) -> None:
    runs: list[int] = []
    endings: list[Any] = []

    class Breaking(TrainingRun):
        def _perform(self, folder: Path) -> Any:
            folder.rmdir()
            runs.append(1)
            if len(runs) <= errors:
                raise RuntimeError("a defect of the embedded AWS")
            return "Completed", None, None

    def folder(*parts: str) -> Path:
        path = tmp_path.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    request = {"TrainingJobName": "job", "AlgorithmSpecification": {}, **strategy}
    job = TrainingJob(request, "123456789012", "us-east-1", "arn")
    run = Breaking(job, SimpleNamespace(folder=folder), endings.append)  # type: ignore[arg-type]
    run.start()
    run.join(30)
    ((ended, _, reason),) = endings
    assert (ended, len(runs)) == (status, attempts)
    assert reason == (INTERNAL_ERROR if status == "Failed" else None)
    assert [t["Status"] for t in job.transitions].count("Restarting") == attempts - 1
