"""The host that trains: brought up, taken up, followed to its end, replaced when it is taken back; never left alone."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ml.host.job import Job, Status
from ml.jobs import follow, handover, program, tune
from ml.jobs.launchers import Training, ec2, jobs_in_s3
from ops import quotas, stacks
from ops.aws import client
from ops.errors import OperatorError
from ops.settings.ec2 import HostSettings, chosen

NAME = "image-classifier-dev-train-ec2-abcdefg"


@pytest.fixture
def training(account, dev, foundation, manifest) -> Training:
    source = program.Source(f"s3://{foundation.bucket}/code/abc/source.tar.gz", "abc")
    tuned = tune.Result(
        "search", {}, manifest.hash, "sample", "best", 0.9, {"learning-rate": "0.01", "_x": "y"}
    )
    return Training(dev, foundation, manifest, source, tuned, 1)


class Cloud:
    """EC2 and Terraform of a test. `story`: for each host that is brought up, what looks at it find, one after another:
    (state, reason's code, status as its machine writes it)."""

    def __init__(self, dev, foundation, account):
        self.dev, self.foundation, self._account = dev, foundation, account
        self.story: list[list[tuple]] = []
        self.up: list[dict] = []
        self.down = 0
        self.asked: list[tuple] = []
        self._looks: dict[str, list[tuple]] = {}
        self._last: dict[str, ec2.Seen] = {}

    def stack(self, settings, progress, host=None):
        def up():
            self.up.append(host)
            identity = f"i-{len(self.up)}"
            self.publish(host["job"], identity, host["spot"])
            self._looks[identity] = self.story.pop(0)
            self._last[identity] = ec2.Seen("running")

        def down():
            self.down += 1
            client("ssm", self.dev.region).delete_parameter(Name="/image-classifier/dev/workbench/host")

        return SimpleNamespace(up=up, down=down)

    def publish(self, job: str, identity: str, spot: bool = False) -> None:
        host = {
            "name": "host",
            "job": job,
            "instance_id": identity,
            "instance_type": "t3.medium",
            "spot": spot,
        }
        self._account.publish("workbench/host", host)

    def look(self, settings, identity: str) -> ec2.Seen:
        looks = self._looks.setdefault(identity, [])
        if looks:
            state, code, status = looks.pop(0)
            self._last[identity] = ec2.Seen(state, code, f"{code} by EC2")
            if status is not None:
                body = Status(**{"machine": identity, **status}).to_json().encode()
                key = f"training/{NAME}/status.json"
                client("s3", self.dev.region).put_object(Bucket=self.foundation.bucket, Key=key, Body=body)
        return self._last[identity]


@pytest.fixture
def cloud(dev, foundation, account, monkeypatch) -> Cloud:
    made = Cloud(dev, foundation, account)
    monkeypatch.setattr(stacks, "training_host", made.stack)
    monkeypatch.setattr(ec2, "look", made.look)
    monkeypatch.setattr(follow, "pauses", lambda *_: iter(range(100)))
    monkeypatch.setattr(
        quotas, "check_vcpus", lambda *given, **named: made.asked.append((*given, named)) or None
    )
    logs = client("logs", dev.region)
    logs.create_log_group(logGroupName=foundation.ec2_log_group)
    logs.create_log_stream(logGroupName=foundation.ec2_log_group, logStreamName=f"{NAME}/i-1")
    event = {"timestamp": int(time.time() * 1000), "message": "epoch=1 of a host"}
    logs.put_log_events(logGroupName=foundation.ec2_log_group, logStreamName=f"{NAME}/i-1", logEvents=[event])
    return made


COMPLETED = {"status": "Completed", "stage": "Completed", "metrics": {"test:accuracy": 0.9}, "machine_type": "t3.medium",
             "training_seconds": 60.0, "billable_seconds": 90.0}  # fmt: skip
GONE = ("terminated", "Client.InstanceInitiatedShutdown")


def run(launcher, training, told=None):
    told = [] if told is None else told
    return launcher.run(
        training, NAME, lambda text, important=False: told.append(text), lambda line: told.append(line)
    )


def objects(training, prefix: str) -> list[str]:
    found = client("s3", training.settings.region).list_objects_v2(
        Bucket=training.foundation.bucket, Prefix=prefix
    )
    return [item["Key"].removeprefix(prefix) for item in found.get("Contents", [])]


def test_a_host_is_brought_up_followed_and_removed(cloud, training, dev, foundation):
    cloud.story = [[("running", "", {"stage": "Training"}), ("running", "", COMPLETED), (*GONE, None)]]
    told: list[str] = []
    outcome = run(ec2.Ec2Launcher(dev, foundation), training, told)
    assert outcome.metrics == {"test:accuracy": 0.9}
    assert (outcome.seconds, outcome.billable_seconds) == (60, 90)
    assert outcome.artifact == f"s3://{foundation.bucket}/training/{NAME}/output/model.tar.gz"
    assert "epoch=1 of a host" in told and "i-1 is running: Training" in told
    assert cloud.asked == [("us-east-1", "t3.medium", {"spot": False})]
    assert cloud.down == 1
    assert objects(training, f"code/jobs/{NAME}/") == ["job.json", "launched/i-1"]
    (host,) = cloud.up
    assert (host["instance_type"], host["spot"], host["root_volume"]) == ("t3.medium", False, {"size_gb": 60})
    assert len(host["user_data"]) < 15 * 1024  # EC2 takes 16 KiB


def test_the_job_is_what_sagemaker_would_run(cloud, training, dev, foundation):
    cloud.story = [[(*GONE, COMPLETED)]]
    run(ec2.Ec2Launcher(dev, foundation), training)
    body = (
        client("s3", dev.region)
        .get_object(Bucket=foundation.bucket, Key=f"code/jobs/{NAME}/job.json")["Body"]
        .read()
    )
    job = Job.from_json(body)
    assert job.hyperparameters == training.hyperparameters
    assert job.source == training.source.uri
    assert set(job.channels) == {"train", "valid", "test"}
    assert job.metrics == {m["name"]: m["regex"] for m in program.metric_definitions()}
    assert job.log_group == "/image-classifier/dev/ec2"
    assert job.registration["CustomerMetadataProperties"] == training.lineage(NAME, "ec2")
    assert job.minimum_accuracy == dev.training.minimum_accuracy


def test_a_job_with_pretrained_weights_gets_them(cloud, training, dev, foundation, monkeypatch):
    monkeypatch.setattr(jobs_in_s3.weights, "upload", lambda *_: "s3://bucket/weights/resnet50/")
    pretrained = dev.model_copy(update={"model": dev.model.model_copy(update={"pretrained": True})})
    address = jobs_in_s3.write(replace(training, settings=pretrained), NAME, "ec2", None)
    key = address.partition(f"{foundation.bucket}/")[2]
    job = Job.from_json(client("s3", dev.region).get_object(Bucket=foundation.bucket, Key=key)["Body"].read())
    assert job.channels["weights"] == "s3://bucket/weights/resnet50/"


def test_a_command_that_was_killed_takes_its_host_up(cloud, training, dev, foundation):
    cloud.publish(NAME, "i-9")
    cloud._last["i-9"] = ec2.Seen("running")
    cloud._looks["i-9"] = [("running", "", None), ("running", "", {"stage": "Training"}), (*GONE, COMPLETED)]
    assert run(ec2.Ec2Launcher(dev, foundation), training).seconds == 60
    assert (cloud.up, cloud.down, cloud.asked) == ([], 1, [])
    assert objects(training, f"code/jobs/{NAME}/") == ["launched/i-9"]


def test_a_host_that_is_going_is_waited_for(cloud, training, dev, foundation):
    cloud.publish(NAME, "i-9")
    cloud._looks["i-9"] = [("shutting-down", "", None), ("shutting-down", "", None), (*GONE, None)]
    cloud.story = [[(*GONE, COMPLETED)]]
    told: list[str] = []
    run(ec2.Ec2Launcher(dev, foundation), training, told)
    assert "waiting for the end of i-9, which is shutting-down" in told
    assert (len(cloud.up), cloud._looks["i-9"]) == (1, [])


def test_a_host_that_trains_something_else_is_left_alone(cloud, training, dev, foundation):
    cloud.publish("another-job", "i-9")
    cloud._last["i-9"] = ec2.Seen("running")
    with pytest.raises(
        OperatorError,
        match=r"i-9 trains another-job: wait for its end, or end it with \./inv ec2.down --env dev",
    ):
        run(ec2.Ec2Launcher(dev, foundation), training)
    assert (cloud.up, cloud.down) == ([], 0)


@pytest.mark.parametrize(
    "first",
    [
        (
            *GONE,
            {"status": "Interrupted", "reclaimed": True},
        ),  # in time: it has left its checkpoint and powered off
        ("terminated", "Server.SpotInstanceTermination", {"stage": "Training"}),  # too late
    ],
)
def test_a_spot_host_that_is_taken_back_is_followed_by_another(cloud, training, dev, foundation, first):
    cloud.story = [[first], [(*GONE, {**COMPLETED, "spot": True})]]
    told: list[str] = []
    launcher = ec2.Ec2Launcher(dev, foundation, HostSettings(spot=True))
    assert run(launcher, training, told).took["spot"] == "true"
    assert "EC2 took i-1 back: the next host goes on from the checkpoint" in told
    assert [host["spot"] for host in cloud.up] == [True, True]
    assert cloud.asked == [("us-east-1", "t3.medium", {"spot": True})] * 2
    assert objects(training, f"code/jobs/{NAME}/launched/") == ["i-1", "i-2"]
    assert cloud.down == 1


def test_capacity_that_never_lasts_is_given_up(cloud, training, dev, foundation, monkeypatch):
    monkeypatch.setattr(ec2, "MOST_HOSTS", 3)
    cloud.story = [[("terminated", "Server.SpotInstanceTermination", None)] for _ in range(9)]
    with pytest.raises(
        OperatorError, match=r"ended without a result \(Server.SpotInstanceTermination by EC2\)"
    ):
        run(ec2.Ec2Launcher(dev, foundation, HostSettings(spot=True)), training)
    assert (len(cloud.up), cloud.down) == (3, 1)


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([(*GONE, {"status": "Failed", "failure": "channel valid is empty"})], "failed on i-1: channel valid is empty; its whole log is in /image-classifier/dev/ec2"),
        # A fuse, or a person, ended it: on demand nobody starts another by himself.
        ([("terminated", "Client.UserInitiatedShutdown", {"stage": "Training"})],
         r"ended without a result \(Client.UserInitiatedShutdown by EC2\); the last of its log: epoch=1 of a host"),
        ([("terminated", "Client.UserInitiatedShutdown", {"status": "Interrupted", "failure": "SIGTERM ended it"})],
         r"i-1 was ended before its training was done \(Client.UserInitiatedShutdown by EC2\).*goes on from the checkpoint"),
        ([("stopped", "", None)], "ended without a result"),
        ([("gone", "", None)], "ended without a result"),
    ],
)  # fmt: skip
def test_a_failure_is_told_and_nothing_is_left(cloud, training, dev, foundation, looks, told):
    cloud.story = [looks]
    with pytest.raises(OperatorError, match=told) as failed:
        run(ec2.Ec2Launcher(dev, foundation), training)
    assert "./inv ec2.train --env dev " in str(failed.value)
    assert (len(cloud.up), cloud.down) == (1, 1)


def test_a_host_that_ended_before_its_log_began_is_explained_by_its_console(
    cloud, training, dev, foundation, monkeypatch
):
    monkeypatch.setattr(follow.LogTail, "lines", lambda self: [])
    monkeypatch.setattr(ec2, "console", lambda settings, identity: [f"{identity} has no network"])
    cloud.story = [[(*GONE, None)]]
    with pytest.raises(OperatorError, match="the last of its log: i-1 has no network"):
        run(ec2.Ec2Launcher(dev, foundation), training)


def test_a_console_that_is_not_to_be_had_is_empty(account, dev):
    assert ec2.console(dev, "i-0123456789abcdef0") == []


def test_the_status_of_a_host_before_is_not_taken_for_this_one_s(cloud, training, dev, foundation):
    cloud.story = [
        [("running", "", {"status": "Failed", "failure": "old", "machine": "i-0"}), (*GONE, COMPLETED)]
    ]
    assert run(ec2.Ec2Launcher(dev, foundation), training).metrics == {"test:accuracy": 0.9}


def test_a_host_may_stay(cloud, training, dev, foundation):
    cloud.story = [[("running", "", COMPLETED)]]
    run(ec2.Ec2Launcher(dev, foundation, keep=True), training)
    assert cloud.down == 0
    assert "KEEP=yes" in cloud.up[0]["user_data"]
    cloud.story = [[("running", "", {"status": "Failed", "failure": "bad"})]]
    client("ssm", dev.region).delete_parameter(Name="/image-classifier/dev/workbench/host")
    with pytest.raises(
        OperatorError, match=r"The host stays, as asked for: aws ssm start-session --target i-2"
    ):
        run(ec2.Ec2Launcher(dev, foundation, keep=True), training)
    assert cloud.down == 0


def test_no_quota_no_host(cloud, training, dev, foundation, monkeypatch):
    def refuse(*_, **__):
        raise OperatorError("quota L-DB2E81BA is 0")

    monkeypatch.setattr(quotas, "check_vcpus", refuse)
    with pytest.raises(OperatorError, match="L-DB2E81BA"):
        run(ec2.Ec2Launcher(dev, foundation), training)
    assert cloud.up == []


@pytest.mark.parametrize(
    ("status", "described"),
    [
        (None, None),
        (Status(), {"status": "InProgress", "usable": False}),
        (Status(status="Interrupted"), {"status": "InProgress", "usable": False}),  # goes on
        (Status(status="Failed"), {"status": "Failed", "usable": False}),
        (Status(status="Completed"), {"status": "Completed", "usable": False}),  # its artifact is gone
    ],
)
def test_a_job_is_described_by_what_its_machine_has_left(training, dev, foundation, status, described):
    if status:
        key = f"training/{NAME}/status.json"
        client("s3", dev.region).put_object(Bucket=foundation.bucket, Key=key, Body=status.to_json().encode())
    assert ec2.Ec2Launcher(dev, foundation).describe(NAME) == described


def test_another_type_is_another_job_and_spot_is_not(training, dev, foundation):
    def parts(**host):
        return ec2.Ec2Launcher(dev, foundation, HostSettings(**host)).parts(training)

    assert parts() == parts(spot=True, max_minutes=60)
    assert parts() != parts(instance_type="g5.xlarge")


def test_the_host_s_program_is_uploaded_once_per_content(training, dev, foundation):
    first, second = (jobs_in_s3.upload_host_program(dev, foundation) for _ in range(2))
    assert first == second
    names = subprocess.run(
        ["tar", "--list", "--gzip"], capture_output=True, check=True,
        input=client("s3", dev.region).get_object(Bucket=foundation.bucket, Key=first.split("/", 3)[3])["Body"].read(),
    ).stdout.decode().split()  # fmt: skip
    assert {"host/__main__.py", "host/run.py"} <= set(names)
    assert all(name.startswith("host/") for name in names)


def test_the_script_is_bash_whatever_its_settings(tmp_path):
    hostile = """it's "$(touch /nowhere/x)" `id` \\ $HOME"""
    values = dict.fromkeys(
        ("REGION", "JOB", "JOB_NAME", "HOST_PROGRAM", "LAUNCHED", "LOG_GROUP", "TORCH", "KEEP"), hostile
    )
    script = ec2.user_data(**values)
    assert script.startswith("#!/bin/bash\n")
    subprocess.run(["bash", "-n"], input=script.encode(), check=True)
    settings = "\n".join(line for line in script.splitlines() if line.split("=")[0] in values)
    shown = subprocess.run(
        ["bash", "-c", f'{settings}\nprintf %s "$LOG_GROUP"'], capture_output=True, check=True
    )
    assert shown.stdout.decode() == hostile


# ---- settings ----


def test_the_command_line_comes_before_the_file():
    assert chosen(HostSettings(), None, False) == HostSettings()
    assert chosen(HostSettings(spot=True), "g5.xlarge", False) == HostSettings(
        instance_type="g5.xlarge", spot=True
    )


@pytest.mark.parametrize("kind", ["ml.t3.medium", "t3", "medium", "t3.medium; rm", "T3.medium"])
def test_what_is_no_instance_type_is_a_sentence(kind):
    with pytest.raises(OperatorError, match=r"give an EC2 instance type such as t3\.medium"):
        chosen(HostSettings(), kind, False)


def test_a_host_is_what_the_hand_over_says(account, dev):
    assert handover.training_host(dev) is None
    published = {"name": "h", "job": "j", "instance_id": "i-1", "instance_type": "t3.medium", "spot": False}
    account.publish("workbench/host", {**published, "idle_alarm": "h-idle"})
    assert json.loads(handover.training_host(dev).model_dump_json()) == published
