"""The times of the stages of a whole run: recorded when they did something, kept when they did not."""

from __future__ import annotations

from ops.console import Stage
from ops.outcome import Outcome
from pipeline import stage_times
from tests.conftest import BUCKET
from tests.environments import with_clients


def test_only_stages_that_did_something_replace_their_time(account, dev):
    env = with_clients(dev)
    assert stage_times.read(env) == {}
    stage_times.record(env, [Stage("data", 5.0, "9 images"), Stage("deploy", 60.0, outcome=Outcome.DEGRADED)])
    others = [Stage("data", 0.5, outcome=Outcome.UNCHANGED), Stage("deploy", 1.0, outcome=Outcome.FAILED)]
    stage_times.record(env, [*others, Stage("predict", 2.0), Stage("tune", 0.0, outcome=Outcome.NOT_RUN)])
    found = stage_times.read(env)
    assert {name: time.seconds for name, time in found.items()} == {
        "data": 5.0,
        "deploy": 60.0,
        "predict": 2.0,
    }
    assert found["data"].note == "9 images"
    assert (found["deploy"].ended - found["data"].ended).total_seconds() == 60


def test_nothing_is_written_when_nothing_was_done(account, dev):
    env = with_clients(dev)
    stage_times.record(env, [Stage("data", 0.5, outcome=Outcome.UNCHANGED)])
    assert stage_times.read(env) == {}


def test_a_damaged_object_is_written_anew(account, dev):
    env = with_clients(dev)
    env.client("s3").put_object(Bucket=BUCKET, Key=stage_times.KEY, Body=b"[")
    assert stage_times.read(env) == {}
    stage_times.record(env, [Stage("data", 5.0)])
    assert list(stage_times.read(env)) == ["data"]
