"""The parts of a training job that need no server."""

from __future__ import annotations

import io
import re
import tarfile
import threading
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.training import addresses, channels, containers, logs, validation
from embedded_aws.services.sagemaker.training.artifacts import Artifacts, Checkpoints
from embedded_aws.services.sagemaker.training.cluster import threads_per_instance
from embedded_aws.services.sagemaker.training.metrics import MetricReader
from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.training.run import failure_reason

IMAGE = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch:2.13-cpu-amzn2023-sagemaker"


# Metrics


def test_every_match_in_a_line_is_a_metric() -> None:
    reader = MetricReader(
        [{"Name": "loss", "Regex": r"loss=(\S+)"}, {"Name": "acc", "Regex": r"acc=([0-9.]+)"}]
    )
    assert reader.read("loss=1e-3 acc=0.5 loss=0.25") == [("loss", 0.001), ("loss", 0.25), ("acc", 0.5)]
    assert reader.read("loss=nan acc=") == []
    assert reader.read("loss=oops") == []


@pytest.mark.parametrize(
    ("regex", "message"), [("loss=(", "is not valid"), ("loss=[0-9]+", "captures no value")]
)
def test_regular_expression_without_a_group_is_refused(regex: str, message: str) -> None:
    with pytest.raises(AWSValidationException, match=message):
        MetricReader([{"Name": "loss", "Regex": regex}])


# Containers


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        (IMAGE, "pytorch"),
        ("host:5000/a/pytorch-training@sha256:00", "pytorch-training"),
        ("busybox", "busybox"),
    ],
)
def test_repository_of_an_image(image: str, repository: str) -> None:
    assert containers.repository(image) == repository


def test_entrypoint_paths_are_relocated_to_the_instance_folder() -> None:
    algorithm = {"ContainerEntrypoint": ["/bin/sh"], "ContainerArguments": ["-c", "ls /opt/ml/model"]}
    assert containers.command(algorithm, Path("/w/algo-1")) == ["/bin/sh", "-c", "ls /w/algo-1/model"]


def test_unsupported_image_is_refused() -> None:
    with pytest.raises(AWSValidationException, match=r"cannot run the image x/pytorch-inference:2\.6"):
        containers.check({"TrainingImage": "x/pytorch-inference:2.6", "TrainingInputMode": "File"})


@pytest.mark.parametrize(
    ("condition", "spot", "message"),
    [
        ({"MaxRuntimeInSeconds": 100}, True, "must be present"),
        ({"MaxRuntimeInSeconds": 100, "MaxWaitTimeInSeconds": 99}, True, "greater than or equal"),
        ({"MaxWaitTimeInSeconds": 100}, False, "not supported when EnableManagedSpotTraining"),
        ({"MaxRuntimeInSeconds": 100, "MaxWaitTimeInSeconds": 100}, True, None),
        ({}, False, None),
    ],
)
def test_spot_training_needs_a_wait_time(condition: dict[str, int], spot: bool, message: str | None) -> None:
    if message is None:
        validation.check_stopping(condition, spot)
        return
    with pytest.raises(AWSValidationException, match=message):
        validation.check_stopping(condition, spot)


@pytest.mark.parametrize(("instances", "share"), [(1, 1), (2, 1), (64, 4)])
def test_threads_are_divided_among_instances(instances: int, share: int, monkeypatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert threads_per_instance(instances, share) == max(1, 8 // (instances * share))


# Addresses


def test_jobs_never_share_an_address() -> None:
    first, second = addresses.reserve(2), addresses.reserve(2)
    try:
        assert len({*first.hosts, *second.hosts}) == 4
        assert first.master_port != second.master_port
    finally:
        first.release()
        second.release()


def test_one_loopback_address_allows_one_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr("embedded_aws.services.sagemaker.training.addresses.socket.socket.bind", refuse)
    assert addresses.reserve(1).hosts == ["127.0.0.1"]
    with pytest.raises(addresses.NoLoopbackNetwork, match="2 instances need 2 loopback addresses"):
        addresses.reserve(2)


# Channels


class Objects:
    """Stands for RoleObjects, over a dict."""

    def __init__(self, objects: dict[str, bytes]):
        self.objects = objects

    def list(self, bucket: str, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))

    def read(self, bucket: str, key: str) -> bytes:
        return self.objects[key]


def fetch(objects: dict[str, bytes], uri: str, folders: list[Path], **source: str) -> list[list[str]]:
    channel = {
        "ChannelName": "train",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **source}},
    }
    channels.download(Objects(objects), channel, folders, "role", "us-east-1", lambda: False)
    return [sorted(str(p.relative_to(f)) for p in f.rglob("*") if p.is_file()) for f in folders]


def test_keys_become_paths_below_the_prefix(tmp_path: Path) -> None:
    objects = {"d/train/": b"", "d/train/a/1.png": b"1", "d/train/2.png": b"2", "d/valid/3.png": b"3"}
    assert fetch(objects, "s3://b/d/train", [tmp_path]) == [["2.png", "a/1.png"]]
    assert (tmp_path / "a/1.png").read_bytes() == b"1"
    assert fetch(objects, "s3://b/d/train/2.png", [tmp_path / "one"]) == [["2.png"]]


def test_manifest_lists_the_objects(tmp_path: Path) -> None:
    manifest = b'[{"prefix": "s3://b/d/"}, "train/1.png"]'
    objects = {"m.json": manifest, "d/train/1.png": b"1", "d/train/2.png": b"2"}
    assert fetch(objects, "s3://b/m.json", [tmp_path], S3DataType="ManifestFile") == [["train/1.png"]]
    objects["m.json"] = b"{}"
    with pytest.raises(channels.JobFailure, match="is not a manifest"):
        fetch(objects, "s3://b/m.json", [tmp_path], S3DataType="ManifestFile")


def test_key_cannot_leave_its_channel(tmp_path: Path) -> None:
    with pytest.raises(channels.JobFailure, match="leaves its channel"):
        fetch({"d/../../escaped": b"x"}, "s3://b/d/", [tmp_path / "in"])
    assert not (tmp_path.parent / "escaped").exists()


def test_instances_get_all_objects_or_their_shard(tmp_path: Path) -> None:
    objects = {f"d/{number}": b"x" for number in range(5)}
    folders = [tmp_path / "1", tmp_path / "2"]
    assert fetch(objects, "s3://b/d/", folders) == [["0", "1", "2", "3", "4"]] * 2
    folders = [tmp_path / "3", tmp_path / "4"]
    sharded = fetch(objects, "s3://b/d/", folders, S3DataDistributionType="ShardedByS3Key")
    assert sharded == [["0", "2", "4"], ["1", "3"]]


# Artifacts


class Bucket:
    """Stands for an S3 client that keeps what is put."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.extra: dict[str, Any] = {}

    def put_object(self, Bucket: str, Key: str, Body: Any, **extra: Any) -> None:
        self.objects[Key], self.extra = Body.read(), extra


def test_outputs_are_merged_and_the_first_instance_wins(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}/model").mkdir(parents=True)
        (tmp_path / f"{number}/model/same").write_text(str(number))
    (tmp_path / "2/model/other").write_text("2")
    bucket = Bucket()
    artifacts = Artifacts(bucket, {"S3OutputPath": "s3://b/out/", "KmsKeyId": "key"}, "job")
    uri = artifacts.upload("model", [tmp_path / "1/model", tmp_path / "2/model"])
    assert uri == "s3://b/out/job/output/model.tar.gz"
    assert bucket.extra == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key"}
    with tarfile.open(fileobj=io.BytesIO(bucket.objects["out/job/output/model.tar.gz"])) as archive:
        contents = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}
    assert contents == {"same": b"1", "other": b"2"}


def test_uncompressed_output_is_one_object_per_file(tmp_path: Path) -> None:
    (tmp_path / "model/code").mkdir(parents=True)
    (tmp_path / "model/code/app.py").write_text("x")
    bucket = Bucket()
    output = {"S3OutputPath": "s3://b/out", "CompressionType": "NONE"}
    assert Artifacts(bucket, output, "job").upload("model", [tmp_path / "model"]).endswith("/output/model/")
    assert bucket.objects == {"out/job/output/model/code/app.py": b"x"}


def test_only_changed_checkpoints_are_uploaded(tmp_path: Path) -> None:
    bucket = Bucket()
    folder = tmp_path / "checkpoints"
    checkpoints = Checkpoints(bucket, Objects({"c/old": b"old"}), "s3://b/c/", [folder])
    checkpoints.restore()
    assert (folder / "old").read_bytes() == b"old"
    (folder / "new").write_text("new")
    checkpoints.save()
    assert bucket.objects == {"c/new": b"new"}
    bucket.objects.clear()
    checkpoints.save()
    assert bucket.objects == {}


# Logs


class Cloud:
    """Stands for the CloudWatch Logs client."""

    class exceptions:  # the client's own name for them
        class ResourceNotFoundException(ClientError):
            pass

    def __init__(self, denied: bool = False):
        self.batches: list[list[dict[str, Any]]] = []
        self.denied = denied

    def create_log_stream(self, **_: str) -> None:
        if self.denied:
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "CreateLogStream"
            )

    def put_log_events(self, logEvents: list[dict[str, Any]], **_: str) -> None:
        self.batches.append(logEvents)


def test_lines_are_sent_in_batches_of_cloudwatchs_limit() -> None:
    cloud = Cloud()
    stream = logs.LogStream(cloud, "job/algo-1")
    stream.open()
    for _ in range(25):
        stream.add("x" * 100_000)
    stream.add("")
    stream.flush()
    assert [len(batch) for batch in cloud.batches] == [9, 9, 7]


def test_log_beyond_its_limit_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "STREAM_EVENTS", 10)
    cloud = Cloud()
    stream = logs.LogStream(cloud, "job/algo-1")
    for number in range(30):
        stream.add(str(number))
    stream.close()
    messages = [event["message"] for batch in cloud.batches for event in batch]
    assert messages[:10] == [str(number) for number in range(10)]
    assert len(messages) == 11 and "20 further lines were dropped" in messages[10]


def test_fast_writer_blocks_until_a_batch_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "BATCH_EVENTS", 3)
    stream = logs.LogStream(Cloud(), "job/algo-1")
    writer = threading.Thread(target=lambda: [stream.add(str(n)) for n in range(5)])
    writer.start()
    writer.join(0.1)
    assert writer.is_alive()
    stream.flush()
    writer.join(5)
    assert not writer.is_alive()


def test_lines_are_dropped_without_permission() -> None:
    cloud = Cloud(denied=True)
    stream = logs.LogStream(cloud, "job/algo-1")
    stream.open()
    for number in range(3 * logs.BATCH_EVENTS):
        stream.add(str(number))
    stream.close()
    assert cloud.batches == [] and stream._events == []


def test_metrics_are_limited_per_second() -> None:
    sent: list[dict[str, Any]] = []

    class Metrics:
        def put_metric_data(self, MetricData: list[dict[str, Any]], **_: str) -> None:
            assert len(MetricData) <= 1000
            sent.extend(MetricData)

    sink = logs.MetricSink(Metrics(), "job")
    for number in range(5000):
        sink.add("loss", number, datetime.fromtimestamp(number // 1000, timezone.utc))
    sink.flush()
    assert len(sent) == 5 * logs.POINTS_PER_SECOND
    assert sent[0]["Dimensions"] == [{"Name": "TrainingJobName", "Value": "job"}]


# Outcome


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        ("it broke\n", 1, "AlgorithmError: it broke, exit code: 1"),
        (None, 2, "AlgorithmError: , exit code: 2"),
        (None, -9, "instance type with more memory.* exit code: 137"),
        ("x" * 5000, 1, "x, exit code: 1"),
    ],
)
def test_failure_reason_has_the_message_and_the_exit_code(
    tmp_path: Path, failure: str | None, status: int, reason: str
) -> None:
    (tmp_path / "output").mkdir()
    if failure:
        (tmp_path / "output/failure").write_text(failure)
    text = failure_reason(tmp_path, status)
    assert len(text) <= 1024
    assert re.search(reason, text)


def test_status_transitions_are_contiguous() -> None:
    request = {"TrainingJobName": "job", "AlgorithmSpecification": {}}
    job = TrainingJob(request, "123456789012", "us-east-1", "arn")
    for step in ("Starting", "Downloading", "Training"):
        job.enter(step)
    job.start_time = datetime.now(timezone.utc)
    job.end("Stopped", "MaxRuntimeExceeded")
    described = job.describe()
    steps = described["SecondaryStatusTransitions"]
    assert [step["Status"] for step in steps][-1] == described["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert described["TrainingJobStatus"] == "Stopped"
    for step, following in pairwise(steps):
        assert step["StartTime"] <= step["EndTime"] == following["StartTime"]
    assert "FailureReason" not in described and "TuningJobArn" not in described
