"""Jobs under way: only this environment's, those being stopped too; stopped once, and waited for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from ml.jobs import running as jobs
from ops import settings as environments
from ops.errors import OperatorError
from pipeline import teardown

KINDS = {"HyperParameterTuningJob": "tuning", "TrainingJob": "training"}
MINE = "image-classifier-dev-1"


class SageMaker:
    """Jobs as (kind, name): status. A stopped one is Stopping, and ends at the end of the next pause."""

    def __init__(self, found: dict[tuple[str, str], str]):
        self.found = dict(found)
        self.stopped: list[tuple[str, str]] = []
        self.refuse: set[str] = set()

    def get_paginator(self, operation):
        kind = "tuning" if "tuning" in operation else "training"
        name = "HyperParameterTuningJobName" if kind == "tuning" else "TrainingJobName"

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

    def stop_hyper_parameter_tuning_job(self, HyperParameterTuningJobName):
        self._stop("tuning", HyperParameterTuningJobName)


@pytest.fixture
def dev() -> environments.Settings:
    return environments.load("dev")


@pytest.fixture
def sagemaker(monkeypatch):
    """sagemaker(found): an AWS with these jobs; its clock moves in pauses."""

    def make(found, *, ends: bool = True) -> SageMaker:
        fake, clock = SageMaker(found), iter(range(0, 10**6, 60))

        def pause(seconds):
            if ends:
                fake.found = {key: status for key, status in fake.found.items() if status != "Stopping"}

        monkeypatch.setattr(jobs, "client", lambda service, region: fake)
        monkeypatch.setattr(jobs, "time", SimpleNamespace(sleep=pause, monotonic=lambda: next(clock)))
        return fake

    return make


def test_only_running_jobs_of_this_environment_are_stopped(sagemaker, dev):
    others = ["image-classifier-dev2-1", "a-image-classifier-dev-1"]
    fake = sagemaker({(kind, name): "InProgress" for kind in KINDS.values() for name in [MINE, *others]})
    assert jobs.stop(dev, "tuning") == [MINE]
    assert jobs.stop(dev, "training") == [MINE]
    assert fake.stopped == [("tuning", MINE), ("training", MINE)]
    assert jobs.stop(dev, "training") == []  # it is stopping already


def test_all_are_stopped_and_waited_for(sagemaker, dev):
    fake = sagemaker({("tuning", MINE): "InProgress", ("training", MINE): "InProgress"})
    told: list[str] = []
    assert jobs.stop_all(dev, told.append) == [MINE, MINE]
    assert fake.found == {}
    assert told == [f"waiting for the end of {MINE}, {MINE}"]


def test_a_job_that_an_earlier_command_stopped_is_waited_for(sagemaker, dev):
    fake = sagemaker({("training", MINE): "Stopping"})
    assert jobs.stop_all(dev) == []
    assert fake.found == {} and fake.stopped == []


def test_a_job_that_ends_before_its_stop_is_no_error(sagemaker, dev):
    fake = sagemaker({("training", MINE): "InProgress"})
    fake.refuse.add(MINE)
    assert jobs.stop_all(dev) == []


def test_a_job_that_does_not_end_is_named(sagemaker, dev):
    sagemaker({("training", MINE): "Stopping"}, ends=False)
    with pytest.raises(OperatorError, match=f"{MINE} did not stop within 20 minutes"):
        jobs.stop_all(dev)


def test_the_sweep_lists_what_still_stops(sagemaker, dev, monkeypatch):
    sagemaker({("tuning", MINE): "InProgress", ("training", MINE): "Stopping"})
    kinds = {kind: names for kind, _, names in teardown._inventory(dev) if kind.startswith("running")}
    assert {kind: names() for kind, names in kinds.items()} == {
        "running tuning job": [MINE],
        "running training job": [MINE],
    }
