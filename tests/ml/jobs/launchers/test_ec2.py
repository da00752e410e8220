"""The EC2 launcher: a host is launched or resumed, followed until it ends, replaced if EC2 reclaims it, and removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ml.jobs import follow, job_inputs
from ml.jobs.launchers import ec2, hosts, jobs_in_s3
from ml.runner.job import Job, Status
from ops.errors import OperatorError
from ops.quotas import vcpus
from ops.settings.ec2 import HostSettings
from tests.environments import with_settings
from tests.ml.jobs.launchers.cloud import COMPLETED, GONE, NAME, run


def objects(env, prefix: str) -> list[str]:
    found = env.client("s3").list_objects_v2(Bucket=env.data_bucket, Prefix=prefix)
    return [item["Key"].removeprefix(prefix) for item in found.get("Contents", [])]


def test_a_host_is_launched_followed_and_removed(cloud, training, dev):
    cloud.story = [[("running", "", {"stage": "Training"}), ("running", "", COMPLETED), (*GONE, None)]]
    shown: list[str] = []
    outcome = run(ec2.Ec2Launcher(dev), training, shown)
    assert outcome.metrics == {"test:accuracy": 0.9}
    assert (outcome.seconds, outcome.billable_seconds) == (60, 90)
    assert outcome.artifact == f"s3://{dev.data_bucket}/training/{NAME}/output/model.tar.gz"
    assert "epoch=1 of a host" in shown and "i-1 is running: Training" in shown
    assert cloud.checked == [("t3.medium", {"spot": False})]
    assert cloud.destroyed == 1
    assert objects(training.env, f"code/jobs/{NAME}/") == ["job.json", "launched/i-1"]
    (host,) = cloud.launched
    assert (host["instance_type"], host["spot"], host["root_volume"]) == ("t3.medium", False, {"size_gb": 60})
    assert len(host["user_data"]) < 15 * 1024  # the limit of EC2 is 16 KiB


def test_the_job_is_the_same_as_on_sagemaker(cloud, training, dev):
    cloud.story = [[(*GONE, COMPLETED)]]
    run(ec2.Ec2Launcher(dev), training)
    body = (
        dev.client("s3").get_object(Bucket=dev.data_bucket, Key=f"code/jobs/{NAME}/job.json")["Body"].read()
    )
    job = Job.from_json(body)
    assert job.hyperparameters == training.hyperparameters
    assert job.source == training.source.uri
    assert set(job.channels) == {"train", "valid", "test"}
    assert job.metrics == {m["name"]: m["regex"] for m in job_inputs.metric_definitions()}
    assert job.log_group == "/image-classifier/dev/ec2"
    assert job.registration["CustomerMetadataProperties"] == training.lineage(NAME, "ec2")
    assert job.minimum_accuracy == dev.settings.training.minimum_accuracy


def test_a_pretrained_network_gets_its_weights(cloud, training, dev, monkeypatch):
    monkeypatch.setattr(jobs_in_s3.weights, "upload", lambda *_: "s3://bucket/weights/resnet50/")
    pretrained = with_settings(dev, model={"mode": "linear-probe"})
    uri = jobs_in_s3.write(replace(training, env=pretrained), NAME, "ec2", None)
    job = Job.from_json(dev.client("s3").get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read())
    assert job.channels["weights"] == "s3://bucket/weights/resnet50/"


def test_a_killed_command_s_host_is_resumed(cloud, training, dev):
    cloud.add(
        NAME, "i-9", [("running", "", None), ("running", "", {"stage": "Training"}), (*GONE, COMPLETED)]
    )
    assert run(ec2.Ec2Launcher(dev), training).seconds == 60
    assert (cloud.launched, cloud.destroyed, cloud.checked) == ([], 1, [])
    assert objects(training.env, f"code/jobs/{NAME}/") == ["launched/i-9"]


def test_an_ending_host_is_waited_for(cloud, training, dev):
    cloud.add(NAME, "i-9", [("shutting-down", "", None), ("shutting-down", "", None), (*GONE, None)])
    cloud.story = [[(*GONE, COMPLETED)]]
    shown: list[str] = []
    run(ec2.Ec2Launcher(dev), training, shown)
    assert "waiting until the previous host has ended: i-9 is shutting-down" in shown
    assert len(cloud.launched) == 1


def test_a_host_of_another_job_is_not_touched(cloud, training, dev):
    cloud.add("another-job", "i-9")
    with pytest.raises(
        OperatorError,
        match=r"i-9 trains another-job: wait until it has ended, or end it with \./inv ec2.down --env dev",
    ):
        run(ec2.Ec2Launcher(dev), training)
    assert (cloud.launched, cloud.destroyed) == ([], 0)


def test_a_host_launched_meanwhile_is_not_replaced(cloud, training, dev):
    """Another command was faster: Terraform waited for its lock, and would then have replaced its host."""
    cloud.replaces = True
    cloud.while_planning = lambda: cloud.add("another-job", "i-9")
    with pytest.raises(OperatorError, match="i-9 trains another-job"):
        run(ec2.Ec2Launcher(dev), training)
    assert (cloud.launched, cloud.destroyed) == ([], 0)


def test_a_host_launched_since_is_not_removed(cloud, training, dev):
    cloud.story = [[(*GONE, COMPLETED)]]
    shown: list[str] = []

    def status(text, important=False):
        shown.append(text)
        if "terminated" in text:  # another command was faster
            cloud.add("another-job", "i-9")

    ec2.Ec2Launcher(dev).run(training, NAME, status, shown.append)
    assert cloud.destroyed == 0


def test_ctrl_c_reports_that_the_host_keeps_running(cloud, training, dev, monkeypatch):
    cloud.story = [[("running", "", None)]]
    monkeypatch.setattr(follow.LogTail, "lines", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    shown: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run(ec2.Ec2Launcher(dev), training, shown)
    assert shown[-1] == "i-1 keeps running and ends with its training; ./inv ec2.down --env dev ends it now"
    assert cloud.destroyed == 0


REFUSED = OperatorError(
    "terraform apply of training_host failed: InsufficientInstanceCapacity: We currently do not have …"
)


def test_without_capacity_the_next_zone_is_tried(cloud, training, dev):
    cloud.story = [
        REFUSED,
        [("terminated", "Server.SpotInstanceTermination", None)],
        REFUSED,
        [(*GONE, COMPLETED)],
    ]
    shown: list[str] = []
    run(ec2.Ec2Launcher(dev, HostSettings(spot=True)), training, shown)
    assert [host["zone"] for host in cloud.launched] == [
        0,
        1,
        2,
        3,
    ]  # not in the zone of the reclaimed host either
    refusal = "EC2 has no Spot capacity for t3.medium in this zone (InsufficientInstanceCapacity); trying the next zone"
    assert shown.count(refusal) == 2


def test_launches_end_after_a_limit_without_capacity(cloud, training, dev, monkeypatch):
    monkeypatch.setattr(ec2, "MAX_LAUNCHES", 3)
    cloud.story = [REFUSED] * 9
    with pytest.raises(OperatorError, match=r"EC2 has no on-demand capacity for t3\.medium in this zone"):
        run(ec2.Ec2Launcher(dev), training)
    assert (len(cloud.launched), cloud.destroyed) == (3, 1)


def test_another_error_of_terraform_is_raised_at_once(cloud, training, dev):
    cloud.story = [OperatorError("terraform apply of training_host failed: AccessDenied")]
    with pytest.raises(OperatorError, match="AccessDenied"):
        run(ec2.Ec2Launcher(dev), training)
    assert len(cloud.launched) == 1


@pytest.mark.parametrize(
    "first",
    [
        (
            *GONE,
            {"status": "Interrupted", "reclaimed": True},
        ),  # in time: it has written its checkpoint
        ("terminated", "Server.SpotInstanceTermination", {"stage": "Training"}),  # too late
    ],
)
def test_a_reclaimed_spot_host_is_replaced(cloud, training, dev, first):
    cloud.story = [[first], [(*GONE, {**COMPLETED, "spot": True})]]
    shown: list[str] = []
    launcher = ec2.Ec2Launcher(dev, HostSettings(spot=True))
    assert run(launcher, training, shown).run_stats["spot"] == "true"
    assert "EC2 reclaimed i-1: the next host resumes from the checkpoint" in shown
    assert [host["spot"] for host in cloud.launched] == [True, True]
    assert cloud.checked == [("t3.medium", {"spot": True})] * 2
    assert objects(training.env, f"code/jobs/{NAME}/launched/") == ["i-1", "i-2"]
    assert cloud.destroyed == 1


def test_launches_end_after_a_limit_of_reclaimed_hosts(cloud, training, dev, monkeypatch):
    monkeypatch.setattr(ec2, "MAX_LAUNCHES", 3)
    cloud.story = [[("terminated", "Server.SpotInstanceTermination", None)] for _ in range(9)]
    with pytest.raises(
        OperatorError, match=r"ended without a result \(Server.SpotInstanceTermination by EC2\)"
    ):
        run(ec2.Ec2Launcher(dev, HostSettings(spot=True)), training)
    assert (len(cloud.launched), cloud.destroyed) == (3, 1)


@pytest.mark.parametrize(
    ("states", "message"),
    [
        (
            [(*GONE, {"status": "Failed", "failure": "channel valid is empty"})],
            r"failed on i-1: channel valid is empty\. Its whole log is in /image-classifier/dev/ec2",
        ),
        # A person or the idle alarm ended it: an on-demand host is not replaced.
        (
            [("terminated", "Client.UserInitiatedShutdown", {"stage": "Training"})],
            r"i-1 ended before its training was complete \(Client.UserInitiatedShutdown by EC2\)\. The last lines of its log: epoch=1 of a host\. Its whole",
        ),
        (
            [
                (
                    "terminated",
                    "Client.UserInitiatedShutdown",
                    {"status": "Interrupted", "failure": "SIGTERM ended it"},
                )
            ],
            r"i-1 ended before its training was complete \(Client.UserInitiatedShutdown by EC2\).*to resume from the checkpoint",
        ),
        ([("stopped", "", None)], "ended without a result"),
        ([("gone", "", None)], "ended without a result"),
    ],
)
def test_a_failure_is_reported_and_the_stack_removed(cloud, training, dev, states, message):
    cloud.story = [states]
    with pytest.raises(OperatorError, match=message) as failed:
        run(ec2.Ec2Launcher(dev), training)
    assert "./inv ec2.train --env dev " in str(failed.value)
    assert (len(cloud.launched), cloud.destroyed) == (1, 1)


def test_without_a_log_the_console_output_is_reported(cloud, training, dev, monkeypatch):
    monkeypatch.setattr(follow.LogTail, "lines", lambda self: [])
    monkeypatch.setattr(hosts, "console_output", lambda env, identity: [f"{identity} has no network"])
    cloud.story = [[(*GONE, None)]]
    with pytest.raises(OperatorError, match="The last lines of its log: i-1 has no network"):
        run(ec2.Ec2Launcher(dev), training)


def test_the_status_of_the_previous_host_is_ignored(cloud, training, dev):
    cloud.story = [
        [("running", "", {"status": "Failed", "failure": "old", "machine": "i-0"}), (*GONE, COMPLETED)]
    ]
    assert run(ec2.Ec2Launcher(dev), training).metrics == {"test:accuracy": 0.9}


def test_a_status_with_unknown_fields_is_read():
    assert Status.from_json('{"status": "Failed", "process": 7}') == Status(status="Failed")


def kept(training, identity: str) -> None:
    """Write the object with which a kept host reports that its job has ended."""
    training.env.client("s3").put_object(
        Bucket=training.env.data_bucket, Key=f"training/{NAME}/ended/{identity}", Body=b"0"
    )


def test_a_kept_host_is_not_removed(cloud, training, dev):
    kept(training, "i-1")
    cloud.story = [[("running", "", COMPLETED)]]
    run(ec2.Ec2Launcher(dev, keep=True), training)
    (host,) = cloud.launched
    assert cloud.destroyed == 0
    assert (host["keep"], host["lifetime"]) == (True, {"max_minutes": 720, "idle_minutes": 0})
    assert "KEEP=yes" in host["user_data"]


def test_a_kept_host_is_not_removed_after_a_failure(cloud, training, dev):
    kept(training, "i-1")
    cloud.story = [[("running", "", None)]]  # it never wrote a status
    with pytest.raises(OperatorError, match=r"The host keeps running: aws ssm start-session --target i-1"):
        run(ec2.Ec2Launcher(dev, keep=True), training)
    assert cloud.destroyed == 0


def test_the_stack_of_a_kept_host_that_ended_is_removed(cloud, training, dev):
    cloud.story = [[(*GONE, {"status": "Failed", "failure": "bad"})]]
    with pytest.raises(OperatorError) as failed:
        run(ec2.Ec2Launcher(dev, keep=True), training)
    assert "The host keeps running" not in str(failed.value) and cloud.destroyed == 1


def test_a_kept_host_stays_when_a_command_without_keep_resumes_it(cloud, training, dev):
    kept(training, "i-9")
    cloud.add(NAME, "i-9", [("running", "", COMPLETED)], keep=True)
    run(ec2.Ec2Launcher(dev), training)
    assert cloud.destroyed == 0


def test_the_command_to_resume_is_reported_with_its_options(cloud, training, dev):
    cloud.story = [[("terminated", "Client.UserInitiatedShutdown", {"stage": "Training"})]]
    launcher = ec2.Ec2Launcher(dev, HostSettings(instance_type="g5.xlarge", spot=True))
    with pytest.raises(
        OperatorError, match=r"\./inv ec2.train --env dev --instance-type g5.xlarge --spot to resume from"
    ):
        run(launcher, training)


def test_a_job_completed_by_another_host_is_completed(cloud, training, dev):
    cloud.story = [[(*GONE, {**COMPLETED, "machine": "i-0"})]]
    assert run(ec2.Ec2Launcher(dev), training).seconds == 60


def test_without_quota_no_host_is_launched(cloud, training, dev, monkeypatch):
    def refuse(*_, **__):
        raise OperatorError("quota L-DB2E81BA is 0")

    monkeypatch.setattr(vcpus, "check_vcpus", refuse)
    with pytest.raises(OperatorError, match="L-DB2E81BA"):
        run(ec2.Ec2Launcher(dev), training)
    assert cloud.launched == []
