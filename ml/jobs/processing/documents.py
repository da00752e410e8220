"""The documents of a data job in S3: what it is to do, and what it did."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from ml.jobs.data.stage import Result
from ops import s3
from ops.environment import Environment
from ops.s3 import S3Uri
from ops.settings import Settings

REQUEST = "job.json"
RESULTS = "results/data"  # prefix of the answers


class Options(BaseModel):
    """The options of the stage. split: empty for the default."""

    source: str
    skip_bad: bool = False
    split: str = ""

    @property
    def words(self) -> str:
        """The options besides the source, as on the command line."""
        given = ["--skip-bad"] if self.skip_bad else []
        return " ".join([*given, f"--split {self.split}"] if self.split else given) or "none"


class Request(BaseModel):
    """What a job is to do. settings: those that the stage needs. job: its name."""

    job: str
    options: Options
    settings: dict[str, Any]


class Answer(BaseModel):
    """What a job did. failure: the whole sentence; empty if there is a result."""

    result: Result | None = None
    failure: str = ""


def settings_for_job(settings: Settings) -> dict[str, Any]:
    """Return the settings that the stage needs, for `Settings(**…)` in the job."""
    # `tuning` has no default. Others may name files of this machine.
    needed = {"environment", "project", "region", "dataset", "data", "tuning"}
    found: dict[str, Any] = settings.model_dump(mode="json", include=needed)
    return found


def answer_uri(env: Environment, job: str) -> S3Uri:
    """Return where a job's answer is. The first KiB of a failure is also its ExitMessage."""
    return s3.in_data_bucket(env, f"{RESULTS}/{job}.json")
