"""Attempts at a job: completed, failed, interrupted and resumed, with their results in S3 and the registry."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
import threading

import boto3
import pytest

from ml.runner import attempt, training_process
from ml.runner.job import Status
from tests.ml.runner.conftest import BUCKET, GROUP, archive, job
from tests.ml.runner.test_model_card import a_card, an_evaluation, check

pytestmark = pytest.mark.slow  # starts processes

# Writes a checkpoint, prints "waiting", and waits for SIGTERM. Resumes from the checkpoint if there is one.
WAITING_PROGRAM = """
import os, pathlib, signal, sys, threading
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
checkpoint = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "checkpoints", "checkpoint.pt")
if checkpoint.exists():
    print("resumed from", checkpoint.read_text())
    print("test:accuracy=0.9")
    pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text("{}")
    sys.exit()
checkpoint.write_text("epoch 1")
checkpoint.with_name("checkpoint.pt.partial").write_text("half")
print("waiting", flush=True)
stop.wait()
print("stopped")
"""
FAILING_PROGRAM = """
import os, pathlib
pathlib.Path(os.environ["SM_OUTPUT_DIR"], "failure").write_text("no such\\n class")
raise SystemExit(1)
"""
NOWHERE = f"s3://{BUCKET}/nowhere/"


class FakeMachine:
    """A machine with a settable interruption notice."""

    id, type, spot, notice = "i-1", "t3.medium", False, ""

    def billable_seconds(self) -> float:
        return 100.0

    def interruption_time(self) -> str:
        return self.notice


@pytest.fixture(autouse=True)
def _restore_signal_handlers():
    """An attempt installs signal handlers in this process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def run(account, storage, work):
    """Run an attempt in a new folder. Returns its exit status, its log and the job's status."""

    def run(machine=None, on_line=lambda line: None, **changes) -> tuple[int, list[str], Status]:
        lines: list[str] = []

        def log(line: str) -> None:
            lines.append(line)
            on_line(line)

        exit_status = attempt.run_attempt(
            job(**{"source_digest": account.digest, **changes}),
            storage,
            machine or FakeMachine(),
            work / str(len(list(work.parent.iterdir()))),
            log,
        )
        return exit_status, lines, read_status(account)

    return run


def read_status(account) -> Status:
    return Status.from_json(account.read("training/job-1/status.json"))


def send_sigterm_when_waiting(line: str) -> None:
    if line == "waiting":
        os.kill(os.getpid(), signal.SIGTERM)


def model_packages() -> list[dict]:
    registry = boto3.client("sagemaker", region_name="us-east-1")
    summaries = registry.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    return [registry.describe_model_package(ModelPackageName=s["ModelPackageArn"]) for s in summaries]


def test_a_job_without_a_registration_leaves_its_artifact_only(run, account):
    exit_status, _, status = run(registration=None)
    assert (exit_status, status.status, status.model_package_arn) == (0, "Completed", "")
    assert "model.tar.gz" in account.keys("training/job-1/output/")
    assert model_packages() == []


def test_a_completed_job_leaves_a_model_metrics_and_a_registered_version(run, account):
    exit_status, lines, status = run()
    assert (exit_status, status.status, status.attempts, status.machine) == (0, "Completed", 1, "i-1")
    assert "hyperparameters --epochs 3 --optimizer sgd" in lines
    assert "images 1.png 2.png" in lines
    assert status.metrics == {"validation:accuracy": 0.75, "test:accuracy": 0.875}  # the last value of each
    assert json.loads(account.read("training/job-1/metrics.json")) == status.metrics
    assert 0 < status.training_seconds < 60
    model = "training/job-1/output/model.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(account.read(model))) as artifact:
        assert artifact.getnames() == ["model.json"]
    assert account.s3.head_object(Bucket=BUCKET, Key=model)["SSEKMSKeyId"] == job().kms_key_arn
    (package,) = model_packages()
    assert package["ModelPackageArn"] == status.model_package_arn
    assert package["ModelApprovalStatus"] == "Approved"
    metadata = package["CustomerMetadataProperties"]
    assert metadata["training_job"] == "job-1"
    assert metadata["test_accuracy"] == "0.875"
    assert metadata["instance_type"] == "t3.medium"
    assert metadata["attempts"] == "1"
    assert float(metadata["billable_seconds"]) == status.billable_seconds == 100


def test_the_evaluation_is_uploaded_next_to_the_metrics_and_in_the_model_card(run, account, monkeypatch):
    program = f"""
import json, os, pathlib
print("test:accuracy=0.9")
output = pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"])
(output / "evaluation.json").write_text({json.dumps(json.dumps(an_evaluation(2)))})
(output / "metrics.json").write_text('{{"history": [{{"train:loss": 1.0}}]}}')
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text("{{}}")
"""
    account.set_program(program)
    requests, complete = [], attempt.with_results
    monkeypatch.setattr(attempt, "with_results", lambda *a: requests.append(complete(*a)) or requests[-1])
    registration = {**job().registration, "ModelCard": a_card()}
    assert run(registration=registration)[0] == 0
    assert json.loads(account.read("training/job-1/evaluation.json")) == an_evaluation(2)
    assert json.loads(account.read("training/job-1/history.json")) == [{"train:loss": 1.0}]
    assert check(requests[0]["ModelCard"])["evaluation_details"][0]["name"] == "test split"


def test_a_model_below_the_minimum_accuracy_waits_for_approval(run):
    run(minimum_accuracy=0.9)
    assert model_packages()[0]["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_completed_job_is_not_run_again(run):
    run()
    exit_status, lines, status = run()
    assert (exit_status, lines, status.attempts) == (0, ["job-1 is already completed"], 1)
    assert len(model_packages()) == 1


def test_the_program_gets_its_channels_and_no_credentials(run, account):
    account.set_program("import os\nprint(*sorted(os.environ))\nraise SystemExit(3)")
    _, lines, _ = run()
    variables = " ".join(lines)
    names = variables.split()
    assert "SM_CHANNEL_TRAIN" in names and not [name for name in names if name.startswith("AWS_")]


@pytest.mark.parametrize(
    ("program", "changes", "failure"),
    [
        ("raise SystemExit(3)", {}, "the training program exited with status 3"),
        (FAILING_PROGRAM, {}, "no such class"),
        (
            "import os\nos.kill(os.getpid(), 9)",
            {},
            "the training program was killed, probably because memory ran out: use an instance type with more memory "
            "or a smaller batch-size",
        ),
        ("print('nothing')", {}, "the training program exited without writing a model"),
        (
            WAITING_PROGRAM,
            {"max_runtime_seconds": 0.5},
            "training exceeded max_runtime_seconds (0.5 s) and was stopped",
        ),
        (
            "",
            {"channels": {"valid": NOWHERE}},
            f"channel valid is empty: there are no objects below {NOWHERE}",
        ),
    ],
)
def test_a_failed_job_has_a_reason_and_no_model(run, account, program, changes, failure):
    account.set_program(program)
    exit_status, lines, status = run(**changes)
    assert (exit_status, status.status, status.failure) == (1, "Failed", failure)
    assert lines[-1] == f"job-1 Failed: {failure}"
    assert model_packages() == []


def test_an_error_of_aws_is_raised_and_recorded(run, account):
    with pytest.raises(Exception, match="NoSuchBucket"):
        run(source="s3://nowhere/source.tar.gz")
    status = read_status(account)
    assert status.status == "Failed" and "NoSuchBucket" in status.failure


def test_a_reclaimed_spot_instance_leaves_a_checkpoint_for_the_next_attempt(run, account, monkeypatch):
    monkeypatch.setattr(attempt, "INTERRUPTION_INTERVAL", 0.01)
    account.set_program(WAITING_PROGRAM)
    first, second = FakeMachine(), FakeMachine()
    first.spot, second.id = True, "i-2"

    def reclaim(line: str) -> None:
        if line == "waiting":
            first.notice = "2026-11-26T12:00:00Z"

    exit_status, lines, status = run(first, reclaim)
    assert (exit_status, status.status, status.reclaimed) == (75, "Interrupted", True)
    assert any("EC2 reclaims this Spot Instance at 2026-11-26T12:00:00Z" in line for line in lines)
    assert account.keys("checkpoints/job-1/") == ["checkpoint.pt"]  # without the unfinished file
    exit_status, lines, status = run(second)
    assert exit_status == 0
    assert "downloaded the checkpoint of the previous attempt" in lines and "resumed from epoch 1" in lines
    assert (status.status, status.attempts, status.reclaimed) == ("Completed", 2, False)
    assert status.billable_seconds == 200  # of both machines


def test_sigterm_leaves_a_checkpoint_and_is_not_recorded_as_reclaimed(run, account):
    account.set_program(WAITING_PROGRAM)
    exit_status, _, status = run(on_line=send_sigterm_when_waiting)
    assert (exit_status, status.status, status.reclaimed) == (75, "Interrupted", False)
    assert status.failure == "stopped by SIGTERM"
    assert account.keys("checkpoints/job-1/") == ["checkpoint.pt"]


@pytest.mark.parametrize("handler", ["signal.signal(signal.SIGTERM, signal.SIG_IGN)", "pass"])
def test_a_program_that_does_not_handle_sigterm_is_interrupted_too(run, account, monkeypatch, handler):
    """One program ignores SIGTERM and is killed. The other has no handler yet and dies of SIGTERM."""
    monkeypatch.setattr(training_process, "STOP_TIMEOUT", 0.2)
    account.set_program(f"import signal, time\n{handler}\nprint('waiting', flush=True)\ntime.sleep(60)")
    exit_status, _, status = run(on_line=send_sigterm_when_waiting)
    assert (exit_status, status.status, status.failure) == (75, "Interrupted", "stopped by SIGTERM")


def test_a_program_with_another_digest_does_not_run(run, account):
    account.put("code/abc/source.tar.gz", archive("print('malicious')"))
    lines: list[str] = []
    with pytest.raises(ValueError, match="does not have the expected SHA-256"):
        run(on_line=lines.append)
    assert "malicious" not in lines


def test_a_model_of_a_previous_attempt_is_not_uploaded(account, storage, work):
    (work / "model").mkdir(parents=True)
    (work / "model" / "model.json").write_text("old")
    account.set_program("print('nothing')")
    exit_status = attempt.run_attempt(job(source_digest=account.digest), storage, FakeMachine(), work, print)
    failure = "the training program exited without writing a model"
    assert (exit_status, read_status(account).failure) == (1, failure)


def test_the_status_has_the_billable_seconds_while_the_job_runs(run, account, monkeypatch, until):
    monkeypatch.setattr(attempt, "STATUS_INTERVAL", 0.01)
    account.set_program(WAITING_PROGRAM)
    machine, waiting = FakeMachine(), []
    machine.billable_seconds = lambda: 100.0 + len(waiting)

    def on_line(line: str) -> None:
        if line == "waiting":
            waiting.append(line)
            until(lambda: read_status(account).billable_seconds == 101)
            os.kill(os.getpid(), signal.SIGTERM)

    _, _, status = run(machine, on_line)
    assert (status.stage, status.billable_seconds) == ("Interrupted", 101)


def test_a_metadata_service_that_does_not_respond_is_asked_again(run, account, monkeypatch):
    monkeypatch.setattr(attempt, "INTERRUPTION_INTERVAL", 0.01)
    account.set_program(WAITING_PROGRAM)
    machine, responses = FakeMachine(), iter([OSError("timed out"), ""])
    machine.spot = True
    waiting = threading.Event()

    def interruption_time() -> str:
        waiting.wait()
        response = next(responses, "2026-11-26T12:00:00Z")
        if isinstance(response, OSError):
            raise response
        return response

    machine.interruption_time = interruption_time
    exit_status, lines, _ = run(machine, lambda line: line == "waiting" and waiting.set())
    assert exit_status == 75
    assert "the metadata service does not respond, retrying: timed out" in lines
