"""What bounds a training job: its volumes, its network, its paid time."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.sagemaker import storage
from embedded_aws.services.sagemaker.training import isolation, volume
from embedded_aws.services.sagemaker.training.records import TrainingJob, now
from embedded_aws.services.sagemaker.training.volume import Volumes, used


def test_input_and_output_count_against_the_volume(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(volume, "GIGABYTE", 100_000)
    folders = [tmp_path / "algo-1", tmp_path / "algo-2"]
    for folder in folders:
        (folder / "input/data").mkdir(parents=True)
        (folder / "model/input").mkdir(parents=True)
    (folders[1] / "input/data/picture").write_bytes(b"x" * 60_000)
    volumes = Volumes(folders, 1)
    assert volumes.full() is None
    (folders[0] / "model/weights").write_bytes(b"x" * 60_000)
    assert volumes.full() is None
    (folders[1] / "model/input/weights").write_bytes(b"x" * 60_000)
    assert volumes.full() == 2
    assert Volumes(folders, 0).full() is None


def test_sparse_file_uses_no_space(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1024**3)
    assert used(tmp_path) < 1024**2
    assert used(tmp_path / "nowhere") == 0


def test_missing_support_for_namespaces_is_reported(tmp_path: Path, monkeypatch) -> None:
    refusing = "import sys; sys.exit('PermissionError: [Errno 1] Operation not permitted')"
    monkeypatch.setattr(isolation, "SCRIPT", [sys.executable, "-c", refusing])
    supervisor = Supervisor()
    refused = pytest.raises(isolation.NotSupported, match="Operation not permitted")
    with refused, isolation.namespace(supervisor, tmp_path):
        raise AssertionError("there is no namespace")
    assert supervisor.count() == 0


def test_spot_job_is_billed_at_the_spot_price() -> None:
    request = {"TrainingJobName": "job", "AlgorithmSpecification": {}, "EnableManagedSpotTraining": True}
    job = TrainingJob(request, "123456789012", "us-east-1", "arn")
    job.begin_attempt()
    started = job.attempt_time = job.start_time = now() - timedelta(seconds=1000)
    job.end_attempt()
    assert job.describe()["TrainingTimeInSeconds"] == 1001
    job.begin_attempt()
    assert job.attempt_time is not None
    job.attempt_time -= timedelta(seconds=500)
    job.end("Completed")
    described = job.describe()
    assert described["TrainingTimeInSeconds"] == 1501
    assert described["BillableTimeInSeconds"] == 451
    assert described["TrainingStartTime"] == started
    del request["EnableManagedSpotTraining"]
    assert job.describe()["BillableTimeInSeconds"] == 1501


@pytest.mark.parametrize(
    ("types", "local"),
    [
        (
            (
                "ml.g4dn.xlarge",
                "ml.g5.xlarge",
                "ml.m5d.large",
                "ml.c5d.xlarge",
                "ml.m5dn.large",
                "ml.p4de.24xlarge",
            ),
            True,
        ),
        (("ml.m5.large", "ml.c5n.xlarge", "ml.p3.2xlarge", "ml.m6g.large", "ml.t3.medium"), False),
    ],
)
def test_types_with_local_storage_are_known(types: tuple[str, ...], local: bool) -> None:
    assert {kind: storage.has_local_storage(kind) for kind in types} == dict.fromkeys(types, local)
