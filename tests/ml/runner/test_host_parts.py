"""The parts of the program that runs a job: its description, its log, the machine it is on, the checkpoints."""

from __future__ import annotations

import json
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from botocore.exceptions import ClientError

from ml.runner import checkpoints, registration
from ml.runner import log as logs
from ml.runner.job import Job, Status
from ml.runner.log import Log
from ml.runner.machine import Computer, Instance
from ml.runner.storage import split
from ml.runner.training_process import Folders
from tests.ml.runner.conftest import BUCKET, job

# ---- description and status ----


def test_a_job_survives_its_way_through_s3(account, storage):
    account.put("code/jobs/job-1/job.json", job().to_json().encode())
    assert (
        storage.read_job(f"s3://{BUCKET}/code/jobs/job-1/job.json") == job() == Job.from_json(job().to_json())
    )
    assert job().artifact == f"s3://{BUCKET}/training/job-1/output/model.tar.gz"


def test_a_status_is_absent_until_there_is_one(account, storage):
    assert storage.read_status(job()) is None
    storage.write_status(job(), Status(stage="Training", attempts=2))
    assert storage.read_status(job()) == Status(stage="Training", attempts=2)


def test_an_address_has_bucket_and_key():
    assert split("s3://bucket/a/b.json") == ("bucket", "a/b.json")


def test_small_objects_and_large_ones_are_fetched(account, storage, tmp_path, monkeypatch):
    monkeypatch.setattr("ml.runner.storage.SMALL", 4)
    bodies = {"a/1.png": b"1234", "b/2.png": b"12345", "empty.txt": b""}
    for name, body in bodies.items():
        account.put(f"more/{name}", body)
    account.put("more/folder/", b"")  # as consoles make them
    assert storage.fetch(f"s3://{BUCKET}/more/", tmp_path) == 3
    assert {n: (tmp_path / n).read_bytes() for n in bodies} == bodies


def test_a_key_that_leads_out_of_its_folder_is_refused(account, storage, tmp_path):
    account.put("more/../../code/train.py", b"mischief")
    with pytest.raises(ValueError, match=r"the key more/\.\./\.\./code/train.py leads out of its folder"):
        storage.fetch(f"s3://{BUCKET}/more/", tmp_path / "in")
    assert list(tmp_path.rglob("*.py")) == []


# ---- approval ----


@pytest.mark.parametrize(
    ("metrics", "approval"),
    [
        ({"test:accuracy": 0.8}, "Approved"),
        ({"test:accuracy": 0.7999}, "PendingManualApproval"),
        ({"validation:accuracy": 0.99}, "PendingManualApproval"),  # nothing is known of unseen pictures
    ],
)
def test_approval_is_by_accuracy_on_the_test_split(metrics, approval):
    request = registration.with_results({"ModelPackageGroupName": "g"}, metrics, 0.8, {})
    assert request["ModelApprovalStatus"] == approval


def test_properties_are_what_the_registry_takes():
    base = {"CustomerMetadataProperties": {"training_job": "j"}}
    told = registration.with_results(
        base, {"test:accuracy": 0.5}, 0, {"note": "x" * 300, "kind": "2 × é\n_.:/=+-@"}
    )
    assert told["CustomerMetadataProperties"] == {
        "training_job": "j",
        "test_accuracy": "0.5",
        "note": "x" * 256,
        "kind": "2   é _.:/=+-@",
    }
    assert base == {"CustomerMetadataProperties": {"training_job": "j"}}


# ---- log ----


def test_the_log_is_printed_and_sent_in_order(account, capsys, monkeypatch):
    monkeypatch.setattr(logs, "BATCH", 3)
    time_now = time.time()
    service = boto3.client("logs", region_name="us-east-1")
    service.create_log_group(logGroupName="/p/dev/ec2")
    lines = ["one", "", "x" * 2000, "four", "five"]
    clock = iter([1.0, 3.0, 2.0, 4.0, 5.0])  # two threads may come in another order than they looked at it
    monkeypatch.setattr(logs.time, "time", lambda: time_now + next(clock))
    with Log("/p/dev/ec2", "job-1/i-1", "us-east-1") as log:
        for line in lines:
            log.say(line)
    sent = service.get_log_events(logGroupName="/p/dev/ec2", logStreamName="job-1/i-1", startFromHead=True)[
        "events"
    ]
    assert [event["message"] for event in sent] == ["one", "x" * 1000, " ", "four", "five"]
    assert capsys.readouterr().out.splitlines() == lines


def test_a_job_stops_where_nobody_reads_what_it_prints(monkeypatch):
    class Gone:
        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

    asked: list[int] = []
    monkeypatch.setattr(logs.signal, "raise_signal", asked.append)
    monkeypatch.setattr(logs.sys, "stdout", Gone())
    with Log(None, None, "us-east-1") as log:
        log.say("one")
        log.say("two")
    assert asked == [signal.SIGTERM]


def test_a_job_does_not_die_of_its_log(account, capsys):
    with Log("/no/such/group", "job-1/i-1", "us-east-1") as log:
        log.say("still here")
    out, error = capsys.readouterr()
    assert out == "still here\n"
    assert "CloudWatch Logs did not take the log" in error and "ResourceNotFoundException" in error


def test_without_a_group_nothing_is_asked_of_aws(capsys):
    with Log(None, None, "us-east-1") as log:
        log.say("here")
    assert capsys.readouterr().out == "here\n"


# ---- machine ----


class Metadata(BaseHTTPRequestHandler):
    """An instance's metadata service, version 2 only."""

    IDENTITY = {"instanceId": "i-1", "instanceType": "g5.xlarge", "pendingTime": "2026-01-01T00:00:00Z"}  # noqa: RUF012
    tree: dict = {}  # noqa: RUF012
    tokens = 0

    def do_PUT(self):
        type(self).tokens += 1
        self.answer("token" if int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600 else None)

    def do_GET(self):
        if self.headers.get("X-aws-ec2-metadata-token") != "token":
            self.send_error(401)
            return
        self.answer(self.tree.get(self.path.removeprefix("/latest/")))

    def answer(self, text):
        self.send_response(404 if text is None else 200)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def metadata(monkeypatch):
    """The tree of a metadata service that AWS's own variable points to."""
    tree = {
        "dynamic/instance-identity/document": json.dumps(Metadata.IDENTITY),
        "meta-data/instance-life-cycle": "spot",
    }
    monkeypatch.setattr(Metadata, "tree", tree)
    monkeypatch.setattr(Metadata, "tokens", 0)
    server = HTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    yield tree
    server.shutdown()
    server.server_close()


def test_an_instance_knows_itself_and_its_notice(metadata):
    machine = Instance()
    assert (machine.id, machine.type, machine.spot, machine.notice()) == ("i-1", "g5.xlarge", True, "")
    assert machine.seconds() == pytest.approx(time.time() - 1767225600, abs=5)  # since 2026 began
    metadata["meta-data/spot/instance-action"] = '{"action": "terminate", "time": "2026-11-26T12:00:00Z"}'
    assert machine.notice() == "2026-11-26T12:00:00Z"
    assert Metadata.tokens == 1  # one session for all


def test_an_instance_on_demand_is_never_taken_back(metadata):
    metadata["meta-data/instance-life-cycle"] = "on-demand"
    metadata["meta-data/spot/instance-action"] = '{"action": "terminate", "time": "2026-11-26T12:00:00Z"}'
    assert Instance().notice() == ""


def test_the_computer_one_sits_at_is_nobody_else_s():
    here = Computer()
    assert here.id and here.notice() == "" and not here.spot and here.seconds() >= 0


# ---- checkpoints ----


def test_checkpoints_are_kept_as_they_change_and_brought_back(account, storage, tmp_path, monkeypatch, until):
    monkeypatch.setattr(checkpoints, "EVERY", 0.01)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    with checkpoints.Checkpoints(job(), storage, folder, print):
        (folder / "checkpoint.pt").write_text("1")
        until(lambda: account.objects("checkpoints/job-1/") == ["checkpoint.pt"])
        (folder / "checkpoint.pt.partial").write_text("half")
        (folder / "sub").mkdir()
        (folder / "sub" / "more.pt").write_text("2")
    assert account.objects("checkpoints/job-1/") == ["checkpoint.pt", "sub/more.pt"]
    back = tmp_path / "back"
    assert checkpoints.Checkpoints(job(), storage, back, print).fetch() == 2
    assert (back / "sub" / "more.pt").read_text() == "2"


def test_a_checkpoint_that_is_replaced_while_it_is_sent_is_sent_whole(storage, tmp_path, monkeypatch):
    file, sent = tmp_path / "checkpoint.pt", []
    file.write_text("old")

    def upload(job, path, uri):
        new = tmp_path / "checkpoint.pt.partial"
        new.write_text("new")
        new.replace(file)
        sent.append((path.read_text(), uri.rpartition("/")[2]))

    monkeypatch.setattr(storage, "upload", upload)
    kept = checkpoints.Checkpoints(job(), storage, tmp_path, print)
    kept._keep()
    assert sent == [("old", "checkpoint.pt")]
    kept._keep()
    assert sent[1:] == [("new", "checkpoint.pt")]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_refused_upload_is_tried_again_and_raised_at_the_end(storage, tmp_path, monkeypatch, until):
    monkeypatch.setattr(checkpoints, "EVERY", 0.01)
    (tmp_path / "checkpoint.pt").write_text("1")

    def refuse(*_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    monkeypatch.setattr(storage, "upload", refuse)
    told: list[str] = []
    with pytest.raises(ClientError), checkpoints.Checkpoints(job(), storage, tmp_path, told.append):
        until(lambda: len(told) > 1)
    assert "could not be uploaded, and will be tried again" in told[0]


# ---- folders ----


def test_the_program_finds_what_sagemaker_would_give_it(tmp_path):
    folders = Folders(tmp_path)
    folders.make(["train", "valid"])
    variables = folders.variables()
    assert variables["SM_CHANNEL_TRAIN"] == str(tmp_path / "input" / "data" / "train")
    assert variables["SM_MODEL_DIR"] == str(tmp_path / "model")
    assert (tmp_path / "checkpoints").is_dir()  # there: the program writes checkpoints
    assert "SM_HOSTS" not in variables  # one host, which is the program's default
