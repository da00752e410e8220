"""Training and tuning jobs that were running when the embedded AWS went down."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws import daemon
from tests.local_aws.training_kit import Workplace, wait_for
from tests.local_aws.tuning_kit import Tuner

pytestmark = pytest.mark.slow

PROGRAM = """
import os, sys, time
folder = "/opt/ml/checkpoints/"
if os.path.exists(folder + "seen"):
    print("validation:loss=0.125"); sys.exit()
open(folder + "seen", "w").write(str(os.getpid())); time.sleep(600)
"""


@pytest.fixture
def aws(embedded_aws: Any, tmp_path: Path) -> Iterator[Any]:
    """An embedded AWS of this test's own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = type(embedded_aws)(tmp_path / "home", port)
    try:
        yield running
    finally:
        daemon.destroy(running.home)


def test_jobs_go_on_and_no_process_is_left_behind(aws: Any) -> None:
    work = Workplace(aws)
    tuner = Tuner(work)
    tuning = tuner.start(tuner.request(static={"epochs": "25"}, number=3))
    name = work.start(script=PROGRAM, CheckpointConfig={"S3Uri": f"s3://{work.bucket}/checkpoints/restart"})
    key = "checkpoints/restart/seen"
    wait_for(lambda: work.s3.list_objects_v2(Bucket=work.bucket, Prefix=key)["KeyCount"])
    process = int(work.s3.get_object(Bucket=work.bucket, Key=key)["Body"].read())
    before = [trial["TrainingJobName"] for trial in tuner.trials(tuning)]
    aws.restart()
    assert not Path(f"/proc/{process}").exists()

    job = work.ended(name)
    assert job["TrainingJobStatus"] == "Completed"
    assert job["FinalMetricDataList"][0]["Value"] == 0.125
    assert "Restarting" in [step["Status"] for step in job["SecondaryStatusTransitions"]]

    description = tuner.ended(tuning)
    assert description["HyperParameterTuningJobStatus"] == "Completed"
    assert description["TrainingJobStatusCounters"]["Completed"] == 3
    trials = tuner.trials(tuning)
    assert [trial["TrainingJobName"] for trial in trials][: len(before)] == before
    assert len({trial["TunedHyperParameters"]["rate"] for trial in trials}) == 3
