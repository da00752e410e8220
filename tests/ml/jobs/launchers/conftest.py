"""A training job, and the EC2 and Terraform that the EC2 launcher uses."""

from __future__ import annotations

import time

import pytest

from ml.jobs import job_inputs, search
from ml.jobs.launchers import hosts
from ml.jobs.launchers.base import Training
from ops.quotas import vcpus
from ops.terraform import stacks
from tests.ml.jobs.launchers.cloud import NAME, Cloud


@pytest.fixture
def training(account, dev, manifest) -> Training:
    source = job_inputs.Source(f"s3://{dev.data_bucket}/code/abc/source.tar.gz", "abc")
    tuned = search.SearchResult(
        tuning_job="search",
        model={},
        data_hash=manifest.hash,
        dataset="sample",
        best_training_job="best",
        best_objective=0.9,
        hyperparameters={"learning-rate": "0.01", "_x": "y"},
    )
    return Training(dev, manifest, source, tuned, 1)


@pytest.fixture
def cloud(dev, foundation, account, monkeypatch, fast_clock) -> Cloud:
    made = Cloud(dev)
    monkeypatch.setattr(stacks, "training_host", made.stack)
    monkeypatch.setattr(hosts, "get", made.get)
    monkeypatch.setattr(hosts, "find", made.find)
    monkeypatch.setattr(hosts, "console_output", lambda *_: [])
    monkeypatch.setattr(
        vcpus, "check_vcpus", lambda env, *given, **named: made.checked.append((*given, named)) or None
    )
    logs = dev.client("logs")
    logs.create_log_group(logGroupName=foundation.ec2_log_group)
    logs.create_log_stream(logGroupName=foundation.ec2_log_group, logStreamName=f"{NAME}/i-1")
    event = {"timestamp": int(time.time() * 1000), "message": "epoch=1 of a host"}
    logs.put_log_events(logGroupName=foundation.ec2_log_group, logStreamName=f"{NAME}/i-1", logEvents=[event])
    return made
