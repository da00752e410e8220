"""Attempts at a job: completed, failed, interrupted and gone on with; what each leaves in S3 and in the registry."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
import threading

import boto3
import pytest

from ml.runner import run
from ml.runner import training_process as program
from ml.runner.job import Status
from tests.ml.runner.conftest import GROUP, archive, job

# Writes a checkpoint, says so, and then waits to be told to stop.
WAITS = """
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


class Machine:
    """A machine of which EC2 may tell something."""

    id, type, spot, told = "i-1", "t3.medium", False, ""

    def seconds(self) -> float:
        return 100.0

    def notice(self) -> str:
        return self.told


@pytest.fixture(autouse=True)
def _signals():
    """A job listens to signals: this process's own handlers come back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def attempt(account, storage, work):
    """Runs an attempt; gives its exit status, its log and the status that it left."""

    def carry_out(machine=None, say=lambda line: None, **changes) -> tuple[int, list[str], Status]:
        told: list[str] = []

        def both(line: str) -> None:
            told.append(line)
            say(line)

        code = run.run(
            job(**{"source_digest": account.digest, **changes}),
            storage,
            machine or Machine(),
            work / str(len(list(work.parent.iterdir()))),
            both,
        )
        return code, told, Status.from_json(account.read("training/job-1/status.json"))

    return carry_out


def versions() -> list[dict]:
    registry = boto3.client("sagemaker", region_name="us-east-1")
    found = registry.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    return [registry.describe_model_package(ModelPackageName=v["ModelPackageArn"]) for v in found]


def test_a_job_leaves_artifact_metrics_and_a_registered_version(attempt, account):
    code, told, status = attempt()
    assert (code, status.status, status.attempts, status.machine) == (0, "Completed", 1, "i-1")
    assert "hyperparameters --epochs 3 --optimizer sgd" in told
    assert "pictures 1.png 2.png" in told
    assert status.metrics == {"validation:accuracy": 0.75, "test:accuracy": 0.875}  # the last of each
    assert json.loads(account.read("training/job-1/metrics.json")) == status.metrics
    with tarfile.open(fileobj=io.BytesIO(account.read("training/job-1/output/model.tar.gz"))) as artifact:
        assert artifact.getnames() == ["model.json"]
    head = account.s3.head_object(
        Bucket=job().artifact.split("/")[2], Key="training/job-1/output/model.tar.gz"
    )
    assert head["SSEKMSKeyId"] == job().kms_key_arn
    (version,) = versions()
    assert version["ModelPackageArn"] == status.model_package_arn
    assert version["ModelApprovalStatus"] == "Approved"
    told_of = version["CustomerMetadataProperties"]
    assert (told_of["training_job"], told_of["test_accuracy"], told_of["instance_type"]) == (
        "job-1",
        "0.875",
        "t3.medium",
    )
    assert float(told_of["billable_seconds"]) == 100 == status.billable_seconds
    assert told_of["attempts"] == "1"
    assert 0 < status.training_seconds < 60


def test_a_model_below_the_minimum_waits_for_approval(attempt):
    attempt(minimum_accuracy=0.9)
    assert versions()[0]["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_job_that_is_done_is_not_done_again(attempt):
    attempt()
    code, told, status = attempt()
    assert (code, told, status.attempts) == (0, ["job-1 is done already"], 1)
    assert len(versions()) == 1


def test_the_program_is_not_given_what_it_has_no_business_with(attempt, account):
    account.program("import os\nprint(*sorted(os.environ))\nraise SystemExit(3)")
    _, told, _ = attempt()
    variables = " ".join(told)
    assert "SM_CHANNEL_TRAIN" in variables and "AWS_" not in variables


@pytest.mark.parametrize(
    ("text", "changes", "failure"),
    [
        ("raise SystemExit(3)", {}, "the training program ended with status 3"),
        (
            "import os, pathlib\npathlib.Path(os.environ['SM_OUTPUT_DIR'], 'failure').write_text('no such\\n class')\nraise SystemExit(1)",
            {},
            "no such class",
        ),
        (
            "import os\nos.kill(os.getpid(), 9)",
            {},
            "the training program was killed, as Linux does where memory runs out: take a machine with more, or a smaller batch-size",
        ),
        ("print('nothing')", {}, "the training program has ended without a model"),
        (WAITS, {"max_runtime_seconds": 0.5}, "it was stopped after 0.5 s, the longest that it may train"),
        (
            "",
            {"channels": {"valid": "s3://image-classifier-dev-123456789012-us-east-1/nowhere/"}},
            "channel valid is empty: there is nothing below s3://image-classifier-dev-123456789012-us-east-1/nowhere/",
        ),
    ],
)
def test_a_failure_is_told_in_a_sentence(attempt, account, text, changes, failure):
    account.program(text)
    code, told, status = attempt(**changes)
    assert (code, status.status, status.failure) == (1, "Failed", failure)
    assert told[-1] == f"job-1 Failed: {failure}"
    assert versions() == []


def test_what_is_refused_is_told_and_raised(attempt, account):
    with pytest.raises(Exception, match="NoSuchBucket"):
        attempt(source="s3://nowhere/source.tar.gz")
    status = Status.from_json(account.read("training/job-1/status.json"))
    assert status.status == "Failed" and "NoSuchBucket" in status.failure


def test_a_spot_instance_that_is_taken_back_leaves_a_checkpoint_for_the_next(attempt, account, monkeypatch):
    monkeypatch.setattr(run, "NOTICE_EVERY", 0.01)
    account.program(WAITS)
    first = Machine()
    first.spot = True

    def take_back(line: str) -> None:
        if line == "waiting":
            first.told = "2026-11-26T12:00:00Z"

    code, told, status = attempt(first, take_back)
    assert (code, status.status, status.reclaimed) == (75, "Interrupted", True)
    assert any("EC2 takes this Spot Instance back at 2026-11-26T12:00:00Z" in line for line in told)
    assert account.objects("checkpoints/job-1/") == ["checkpoint.pt"]  # not the one that was being written
    second = Machine()
    second.id = "i-2"
    code, told, status = attempt(second)
    assert code == 0
    assert "resumed from epoch 1" in told and "fetched the checkpoint of the attempt before" in told
    assert (status.status, status.attempts, status.reclaimed) == ("Completed", 2, False)
    assert status.billable_seconds == 200  # of both machines


def test_a_signal_leaves_a_checkpoint_too_and_nobody_took_anything_back(attempt, account):
    account.program(WAITS)
    code, _, status = attempt(say=lambda line: line == "waiting" and os.kill(os.getpid(), signal.SIGTERM))
    assert (code, status.status, status.reclaimed) == (75, "Interrupted", False)
    assert status.failure == "SIGTERM ended it"
    assert account.objects("checkpoints/job-1/") == ["checkpoint.pt"]


@pytest.mark.parametrize("deaf", ["signal.signal(signal.SIGTERM, signal.SIG_IGN)", "pass"])
def test_a_program_that_does_not_hear_is_interrupted_all_the_same(attempt, account, monkeypatch, deaf):
    """One that is too busy, which is killed; and one that is still being loaded, which dies of the signal."""
    monkeypatch.setattr(program, "PATIENCE", 0.2)
    account.program(f"import signal, time\n{deaf}\nprint('waiting', flush=True)\ntime.sleep(60)")
    code, _, status = attempt(say=lambda line: line == "waiting" and os.kill(os.getpid(), signal.SIGTERM))
    assert (code, status.status, status.failure) == (75, "Interrupted", "SIGTERM ended it")


def test_a_program_that_is_not_the_one_asked_for_does_not_run(attempt, account):
    account.put("code/abc/source.tar.gz", archive("print('mischief')"))
    told: list[str] = []
    with pytest.raises(ValueError, match="is not what was asked for: somebody has changed it"):
        attempt(say=told.append)
    assert "mischief" not in told


def test_what_an_attempt_before_has_left_is_not_taken_for_a_model(account, storage, work):
    (work / "model").mkdir(parents=True)
    (work / "model" / "model.json").write_text("old")
    account.program("print('nothing')")
    code = run.run(job(source_digest=account.digest), storage, Machine(), work, print)
    status = Status.from_json(account.read("training/job-1/status.json"))
    assert (code, status.failure) == (1, "the training program has ended without a model")


def test_seconds_are_on_record_while_a_job_runs(attempt, account, monkeypatch, until):
    monkeypatch.setattr(run, "WRITE_EVERY", 0.01)
    account.program(WAITS)
    machine, seen = Machine(), []
    machine.seconds = lambda: 100.0 + len(seen)

    def look(line: str) -> None:
        if line == "waiting":
            seen.append(1)
            until(
                lambda: Status.from_json(account.read("training/job-1/status.json")).billable_seconds == 101
            )
            os.kill(os.getpid(), signal.SIGTERM)

    _, _, status = attempt(machine, look)
    assert (status.stage, status.billable_seconds) == ("Interrupted", 101)


def test_a_metadata_service_that_does_not_answer_is_asked_again(attempt, account, monkeypatch):
    monkeypatch.setattr(run, "NOTICE_EVERY", 0.01)
    account.program(WAITS)
    machine, answers = Machine(), iter([OSError("timed out"), ""])
    machine.spot = True
    waiting = threading.Event()

    def notice() -> str:
        waiting.wait()
        answer = next(answers, "2026-11-26T12:00:00Z")
        if isinstance(answer, OSError):
            raise answer
        return answer

    machine.notice = notice
    code, told, _ = attempt(machine, lambda line: line == "waiting" and waiting.set())
    assert code == 75
    assert any("did not answer, and will be asked again: timed out" in line for line in told)
