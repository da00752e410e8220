"""Running jobs: only this environment's, including those that are stopping; stopped once, and waited for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from ml.jobs import running
from ops import waiting
from ops.errors import OperatorError
from pipeline import train
from tests.environments import with_clients

KINDS = {"HyperParameterTuningJob": "tuning", "TrainingJob": "training", "ProcessingJob": "processing"}
MINE = "image-classifier-dev-1"


class SageMaker:
    """Jobs as (kind, name): status. A stopped job is Stopping, and ends with the next pause."""

    def __init__(self, found: dict[tuple[str, str], str]):
        self.found = dict(found)
        self.stopped: list[tuple[str, str]] = []
        self.refuse: set[str] = set()

    def get_paginator(self, operation):
        api, kind = next(pair for pair in KINDS.items() if f"_{pair[1]}_" in operation)
        name = f"{api}Name"

        def paginate(NameContains, StatusEquals):
            names = [
                n for (k, n), s in self.found.items() if (k, s) == (kind, StatusEquals) and NameContains in n
            ]
            return [{name.replace("Name", "Summaries"): [{name: n} for n in names]}]

        return SimpleNamespace(paginate=paginate)

    def _stop(self, kind, name):
        if name in self.refuse:
            del self.found[kind, name]
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "is Completed"}}, "Stop")
        self.stopped.append((kind, name))
        self.found[kind, name] = "Stopping"

    def stop_training_job(self, TrainingJobName):
        self._stop("training", TrainingJobName)

    def stop_processing_job(self, ProcessingJobName):
        self._stop("processing", ProcessingJobName)

    def stop_hyper_parameter_tuning_job(self, HyperParameterTuningJobName):
        self._stop("tuning", HyperParameterTuningJobName)


@pytest.fixture
def account_with(dev, monkeypatch):
    """Return a function that returns an environment with these jobs, and its SageMaker. Its clock advances by pauses."""

    def make(found, *, ends: bool = True):
        fake, clock = SageMaker(found), iter(range(0, 10**6, 60))

        def pause(seconds):
            if ends:
                fake.found = {key: status for key, status in fake.found.items() if status != "Stopping"}

        monkeypatch.setattr(waiting, "time", SimpleNamespace(sleep=pause, monotonic=lambda: next(clock)))
        return with_clients(dev, sagemaker=fake), fake

    return make


def test_only_running_jobs_of_this_environment_are_stopped(account_with):
    others = ["image-classifier-dev2-1", "a-image-classifier-dev-1"]
    env, fake = account_with(
        {(kind, name): "InProgress" for kind in KINDS.values() for name in [MINE, *others]}
    )
    assert running.stop(env, "tuning") == [MINE]
    assert running.stop(env, "training") == [MINE]
    assert running.stop(env, "processing") == [MINE]
    assert fake.stopped == [(kind, MINE) for kind in ("tuning", "training", "processing")]
    assert running.stop(env, "training") == []  # it is already stopping


def test_stop_all_waits_until_all_jobs_have_ended(account_with):
    env, fake = account_with({(kind, MINE): "InProgress" for kind in KINDS.values()})
    shown: list[str] = []
    assert running.stop_all(env, shown.append) == [MINE] * 3
    assert fake.found == {}
    assert shown == [f"waiting until {MINE}, {MINE}, {MINE} has stopped"]


def test_a_job_that_an_earlier_command_stopped_is_waited_for(account_with):
    env, fake = account_with({("training", MINE): "Stopping"})
    assert running.stop_all(env) == []
    assert fake.found == {} and fake.stopped == []


def test_a_job_that_has_already_ended_is_no_error(account_with):
    env, fake = account_with({("training", MINE): "InProgress"})
    fake.refuse.add(MINE)
    assert running.stop_all(env) == []


def test_a_job_that_does_not_stop_is_an_error(account_with):
    env, _ = account_with({("training", MINE): "Stopping"}, ends=False)
    with pytest.raises(OperatorError, match=f"{MINE} did not stop within 20 minutes"):
        running.stop_all(env)


def test_the_end_of_a_search_is_also_that_of_the_job_that_computes_its_features(account_with):
    job = "image-classifier-dev-features-1"
    found = {
        ("tuning", MINE): "InProgress",
        ("training", job): "InProgress",
        ("training", MINE): "InProgress",
    }
    env, fake = account_with(found)
    assert train.stop(env, "tuning") == {"stopped": [MINE, job]}
    assert fake.found["training", MINE] == "InProgress"
