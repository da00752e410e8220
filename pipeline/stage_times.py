"""How long the stages of a whole run took when they last did something: an object in S3, for the report."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from pydantic import BaseModel, TypeAdapter

from ml.jobs.submitter import as_submitter
from ops import s3
from ops.console import Stage
from ops.documents import UnreadableDocument, decode
from ops.environment import Environment
from ops.outcome import Outcome

KEY = "results/stages.json"
_WORKED = (Outcome.DONE, Outcome.DEGRADED)


class StageTime(BaseModel):
    """A stage that did something. seconds: wall time. ended: when. note: its result."""

    seconds: float
    ended: datetime
    note: str = ""


_TIMES = TypeAdapter(dict[str, StageTime])


def read(env: Environment) -> dict[str, StageTime]:
    """Return the stages by name; none before the first run, or if the object is damaged: the next run writes it."""
    uri = s3.in_data_bucket(env, KEY)
    content = s3.get(env, uri)
    try:
        return {} if content is None else decode(_TIMES, content, what=f"{uri}", remedy="run ./inv up")
    except UnreadableDocument:
        return {}


def record(env: Environment, stages: Iterable[Stage]) -> None:
    """Add the stages of a run that has just ended, if they did something. Others keep their former time."""
    ended = datetime.now(timezone.utc)
    worked = {}
    for stage in reversed(list(stages)):  # each ended when the next one began
        if stage.outcome in _WORKED:
            worked[stage.name] = StageTime(seconds=round(stage.seconds, 2), ended=ended, note=stage.note)
        ended -= timedelta(seconds=stage.seconds)
    if worked:
        body = _TIMES.dump_json({**read(env), **worked}, indent=1)
        s3.put(as_submitter(env), KEY, body, ContentType="application/json")
