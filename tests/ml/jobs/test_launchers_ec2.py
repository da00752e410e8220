"""The host that trains: brought up, taken up, followed to its end, replaced when it is taken back; never left alone."""

from __future__ import annotations

import hashlib
import subprocess
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ml.jobs import follow
from ml.jobs import job_inputs as program
from ml.jobs import search as tune
from ml.jobs.launchers import Training, ec2, hosts, jobs_in_s3
from ml.jobs.launchers.hosts import Host
from ml.runner.job import Job, Status
from ops import quotas
from ops.aws import client
from ops.errors import OperatorError
from ops.settings.ec2 import HostSettings, chosen
from ops.terraform import stacks
from ops.terraform.stack import Change

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
    (state, reason's code, status as its machine writes it); or an error of Terraform's."""

    def __init__(self, dev, foundation):
        self.dev, self.foundation = dev, foundation
        self.story: list[list[tuple] | OperatorError] = []
        self.up: list[dict] = []
        self.down = 0
        self.asked: list[tuple] = []
        self.replaces = False
        self.while_planning = lambda: None
        self._looks: dict[str, list[tuple]] = {}
        self._hosts: dict[str, Host] = {}

    def add(self, job: str, identity: str, looks: list[tuple] | None = None, **about) -> None:
        """A host that is there."""
        self._hosts[identity] = Host(identity, job, "t3.medium", "running", reason="", **about)
        self._looks[identity] = looks or []

    def stack(self, settings, progress, host=None):
        def plan():
            self.while_planning()
            actions = ("delete", "create") if self.replaces else ("create",)
            return SimpleNamespace(changes=(Change(ec2.INSTANCE, actions),))

        def apply(plan):
            self.up.append(host)
            told = self.story.pop(0)
            if isinstance(told, OperatorError):
                raise told
            self.add(host["job"], f"i-{len(self.up)}", told, spot=host["spot"], keep=host["keep"])

        def down():
            self.down += 1

        return SimpleNamespace(plan=plan, apply=apply, down=down)

    def find(self, settings) -> Host | None:
        there = [self.look(settings, i, peek=True) for i in self._hosts]
        return next((host for host in there if host.state in (*hosts.ALIVE, *hosts.GOING)), None)

    def look(self, settings, identity: str, peek: bool = False) -> Host:
        looks = self._looks[identity]
        going = looks and looks[0][0] in hosts.GOING
        if looks and (not peek or going or self._hosts[identity].state in hosts.GOING):
            state, code, status = looks.pop(0)
            self._hosts[identity] = replace(
                self._hosts[identity], state=state, reason_code=code, reason=code and f"{code} by EC2"
            )
            if status is not None:
                body = Status(**{"machine": identity, **status}).to_json().encode()
                key = f"training/{NAME}/status.json"
                client("s3", self.dev.region).put_object(Bucket=self.foundation.bucket, Key=key, Body=body)
        return self._hosts[identity]


@pytest.fixture
def cloud(dev, foundation, account, monkeypatch) -> Cloud:
    made = Cloud(dev, foundation)
    monkeypatch.setattr(stacks, "training_host", made.stack)
    monkeypatch.setattr(hosts, "look", made.look)
    monkeypatch.setattr(hosts, "find", made.find)
    monkeypatch.setattr(hosts, "console", lambda *_: [])
    monkeypatch.setattr(follow, "pauses", lambda **_: iter(range(100)))
    monkeypatch.setattr(
        quotas, "check_vcpus", lambda *given, **named: made.asked.append((*given, named)) or None
    )
    logs = client("logs", dev.region)
    logs.create_log_group(logGroupName=foundation.ec2_log_group)
    logs.create_log_stream(logGroupName=foundation.ec2_log_group, logStreamName=f"{NAME}/i-1")
    event = {"timestamp": int(time.time() * 1000), "message": "epoch=1 of a host"}
    logs.put_log_events(logGroupName=foundation.ec2_log_group, logStreamName=f"{NAME}/i-1", logEvents=[event])
    return made


COMPLETED = {
    "status": "Completed",
    "stage": "Completed",
    "metrics": {"test:accuracy": 0.9},
    "machine_type": "t3.medium",
    "training_seconds": 60.0,
    "billable_seconds": 90.0,
}
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
    cloud.add(
        NAME, "i-9", [("running", "", None), ("running", "", {"stage": "Training"}), (*GONE, COMPLETED)]
    )
    assert run(ec2.Ec2Launcher(dev, foundation), training).seconds == 60
    assert (cloud.up, cloud.down, cloud.asked) == ([], 1, [])
    assert objects(training, f"code/jobs/{NAME}/") == ["launched/i-9"]


def test_a_host_that_is_going_is_waited_for(cloud, training, dev, foundation):
    cloud.add(NAME, "i-9", [("shutting-down", "", None), ("shutting-down", "", None), (*GONE, None)])
    cloud.story = [[(*GONE, COMPLETED)]]
    told: list[str] = []
    run(ec2.Ec2Launcher(dev, foundation), training, told)
    assert "waiting for the end of i-9, which is shutting-down" in told
    assert len(cloud.up) == 1


def test_a_host_that_trains_something_else_is_left_alone(cloud, training, dev, foundation):
    cloud.add("another-job", "i-9")
    with pytest.raises(
        OperatorError,
        match=r"i-9 trains another-job: wait for its end, or end it with \./inv ec2.down --env dev",
    ):
        run(ec2.Ec2Launcher(dev, foundation), training)
    assert (cloud.up, cloud.down) == ([], 0)


def test_a_host_that_comes_up_meanwhile_is_not_replaced(cloud, training, dev, foundation):
    """Of a command that was a moment earlier: Terraform waited for its lock, and then would have replaced its host."""
    cloud.replaces = True
    cloud.while_planning = lambda: cloud.add("another-job", "i-9")
    with pytest.raises(OperatorError, match="i-9 trains another-job"):
        run(ec2.Ec2Launcher(dev, foundation), training)
    assert (cloud.up, cloud.down) == ([], 0)


def test_a_host_that_came_up_since_is_not_removed(cloud, training, dev, foundation):
    cloud.story = [[(*GONE, COMPLETED)]]
    told: list[str] = []

    def status(text, important=False):
        told.append(text)
        if "terminated" in text:  # and another command was quicker
            cloud.add("another-job", "i-9")

    ec2.Ec2Launcher(dev, foundation).run(training, NAME, status, told.append)
    assert cloud.down == 0


def test_ctrl_c_says_that_the_host_goes_on(cloud, training, dev, foundation, monkeypatch):
    cloud.story = [[("running", "", None)]]
    monkeypatch.setattr(follow.LogTail, "lines", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run(ec2.Ec2Launcher(dev, foundation), training, told)
    assert (
        told[-1] == "i-1 goes on by itself, and ends with its training; ./inv ec2.down --env dev ends it now"
    )
    assert cloud.down == 0


REFUSED = OperatorError(
    "terraform apply of workbench failed: InsufficientInstanceCapacity: We currently do not have …"
)


def test_where_a_zone_has_no_capacity_the_next_is_asked(cloud, training, dev, foundation):
    cloud.story = [
        REFUSED,
        [("terminated", "Server.SpotInstanceTermination", None)],
        REFUSED,
        [(*GONE, COMPLETED)],
    ]
    told: list[str] = []
    run(ec2.Ec2Launcher(dev, foundation, HostSettings(spot=True)), training, told)
    assert [host["zone"] for host in cloud.up] == [0, 1, 2, 3]  # also not again where it was just taken back
    refusal = "EC2 has no t3.medium as a Spot Instance there (InsufficientInstanceCapacity); asking in the next zone"
    assert told.count(refusal) == 2


def test_capacity_that_is_nowhere_is_given_up(cloud, training, dev, foundation, monkeypatch):
    monkeypatch.setattr(ec2, "MOST_LAUNCHES", 3)
    cloud.story = [REFUSED] * 9
    with pytest.raises(OperatorError, match=r"EC2 has no t3\.medium on demand there"):
        run(ec2.Ec2Launcher(dev, foundation), training)
    assert (len(cloud.up), cloud.down) == (3, 1)


def test_another_refusal_of_terraform_s_is_told_at_once(cloud, training, dev, foundation):
    cloud.story = [OperatorError("terraform apply of workbench failed: AccessDenied")]
    with pytest.raises(OperatorError, match="AccessDenied"):
        run(ec2.Ec2Launcher(dev, foundation), training)
    assert len(cloud.up) == 1


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
    monkeypatch.setattr(ec2, "MOST_LAUNCHES", 3)
    cloud.story = [[("terminated", "Server.SpotInstanceTermination", None)] for _ in range(9)]
    with pytest.raises(
        OperatorError, match=r"ended without a result \(Server.SpotInstanceTermination by EC2\)"
    ):
        run(ec2.Ec2Launcher(dev, foundation, HostSettings(spot=True)), training)
    assert (len(cloud.up), cloud.down) == (3, 1)


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        (
            [(*GONE, {"status": "Failed", "failure": "channel valid is empty"})],
            "failed on i-1: channel valid is empty; its whole log is in /image-classifier/dev/ec2",
        ),
        # A fuse, or a person, ended it: on demand nobody starts another by himself.
        (
            [("terminated", "Client.UserInitiatedShutdown", {"stage": "Training"})],
            r"i-1 was ended before its training was done \(Client.UserInitiatedShutdown by EC2\); the last of its log: epoch=1 of a",
        ),
        (
            [
                (
                    "terminated",
                    "Client.UserInitiatedShutdown",
                    {"status": "Interrupted", "failure": "SIGTERM ended it"},
                )
            ],
            r"i-1 was ended before its training was done \(Client.UserInitiatedShutdown by EC2\).*goes on from the checkpoint",
        ),
        ([("stopped", "", None)], "ended without a result"),
        ([("gone", "", None)], "ended without a result"),
    ],
)
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
    monkeypatch.setattr(hosts, "console", lambda settings, identity: [f"{identity} has no network"])
    cloud.story = [[(*GONE, None)]]
    with pytest.raises(OperatorError, match="the last of its log: i-1 has no network"):
        run(ec2.Ec2Launcher(dev, foundation), training)


def test_of_a_console_what_user_data_printed_is_told(account, dev, monkeypatch):
    assert hosts.console(dev, "i-0123456789abcdef0") == []  # not to be had
    lines = ["[ 9.1] cloud-init[7]: no network", "[ 9.2] systemd[1]: Reached target Power-Off"]
    answer = SimpleNamespace(get_console_output=lambda InstanceId: {"Output": "\n".join(lines)})
    monkeypatch.setattr(hosts, "client", lambda *_: answer)
    assert hosts.console(dev, "i-1") == lines[:1]


def test_the_status_of_a_host_before_is_not_taken_for_this_one_s(cloud, training, dev, foundation):
    cloud.story = [
        [("running", "", {"status": "Failed", "failure": "old", "machine": "i-0"}), (*GONE, COMPLETED)]
    ]
    assert run(ec2.Ec2Launcher(dev, foundation), training).metrics == {"test:accuracy": 0.9}


def test_a_status_of_another_version_is_read():
    assert Status.from_json('{"status": "Failed", "process": 7}') == Status(status="Failed")


def kept(training, identity: str) -> None:
    """The mark of a host that stays."""
    client("s3", training.settings.region).put_object(
        Bucket=training.foundation.bucket, Key=f"training/{NAME}/ended/{identity}", Body=b"0"
    )


def test_a_host_may_stay(cloud, training, dev, foundation):
    kept(training, "i-1")
    cloud.story = [[("running", "", COMPLETED)]]
    run(ec2.Ec2Launcher(dev, foundation, keep=True), training)
    (host,) = cloud.up
    assert cloud.down == 0
    assert (host["keep"], host["lifetime"]) == (True, {"max_minutes": 720, "idle_minutes": 0})
    assert "KEEP=yes" in host["user_data"]


def test_a_host_stays_whatever_went_wrong_on_it(cloud, training, dev, foundation):
    kept(training, "i-1")
    cloud.story = [[("running", "", None)]]  # it has never written a status
    with pytest.raises(
        OperatorError, match=r"The host stays, as asked for: aws ssm start-session --target i-1"
    ):
        run(ec2.Ec2Launcher(dev, foundation, keep=True), training)
    assert cloud.down == 0


def test_a_host_that_should_have_stayed_and_is_gone_is_removed(cloud, training, dev, foundation):
    cloud.story = [[(*GONE, {"status": "Failed", "failure": "bad"})]]
    with pytest.raises(OperatorError) as failed:
        run(ec2.Ec2Launcher(dev, foundation, keep=True), training)
    assert "The host stays" not in str(failed.value) and cloud.down == 1


def test_whether_a_host_stays_is_its_own_choice(cloud, training, dev, foundation):
    """Not that of the command that takes it up."""
    kept(training, "i-9")
    cloud.add(NAME, "i-9", [("running", "", COMPLETED)], keep=True)
    run(ec2.Ec2Launcher(dev, foundation), training)
    assert cloud.down == 0


def test_the_command_that_goes_on_is_told_with_its_options(cloud, training, dev, foundation):
    cloud.story = [[("terminated", "Client.UserInitiatedShutdown", {"stage": "Training"})]]
    launcher = ec2.Ec2Launcher(dev, foundation, HostSettings(instance_type="g5.xlarge", spot=True))
    with pytest.raises(
        OperatorError, match=r"\./inv ec2.train --env dev --instance-type g5.xlarge --spot goes on from"
    ):
        run(launcher, training)


def test_a_job_that_another_host_has_completed_is_completed(cloud, training, dev, foundation):
    cloud.story = [[(*GONE, {**COMPLETED, "machine": "i-0"})]]
    assert run(ec2.Ec2Launcher(dev, foundation), training).seconds == 60


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
    address, digest = first
    body = (
        client("s3", dev.region)
        .get_object(Bucket=foundation.bucket, Key=address.split("/", 3)[3])["Body"]
        .read()
    )
    assert hashlib.sha256(body).hexdigest() == digest
    names = (
        subprocess.run(
            ["tar", "--list", "--gzip"],
            capture_output=True,
            check=True,
            input=body,
        )
        .stdout.decode()
        .split()
    )
    assert {"runner/__main__.py", "runner/attempt.py"} <= set(names)
    assert all(name.startswith("runner/") for name in names)


SETTINGS = (
    "REGION",
    "JOB_URI",
    "JOB_NAME",
    "RUNNER_URI",
    "RUNNER_SHA256",
    "LAUNCHED_PREFIX",
    "ENDED_PREFIX",
    "LOG_GROUP",
    "PIP_PACKAGES",
    "KMS_KEY",
    "KEEP",
)


def test_the_script_is_bash_whatever_its_settings(tmp_path):
    hostile = """it's "$(touch /nowhere/x)" `id` \\ $HOME"""
    values = dict.fromkeys(SETTINGS, hostile)
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


# ---- hosts ----


def test_hosts_are_found_by_their_tags(account, dev):
    service = client("ec2", dev.region)
    image = service.describe_images()["Images"][0]["ImageId"]

    def launch(name: str, **tags: str) -> str:
        given = {"Name": name, "Project": dev.project, "Environment": dev.environment, **tags}
        (made,) = service.run_instances(
            ImageId=image,
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.medium",
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in given.items()]}
            ],
        )["Instances"]
        return made["InstanceId"]

    launch("something-else")
    launch(f"{dev.prefix}-host", Environment="prod")
    assert hosts.find(dev) is None
    mine = launch(f"{dev.prefix}-host", Job="job-1", Keep="yes")
    found = hosts.find(dev)
    assert (found.instance_id, found.job, found.keep, found.spot) == (mine, "job-1", True, False)
    assert found == hosts.look(dev, mine) and found.state == "running"
    service.terminate_instances(InstanceIds=[mine])
    assert hosts.find(dev) is None
    assert hosts.look(dev, mine).state == "terminated"
    assert hosts.look(dev, "i-0123456789abcdef0").state == "gone"
