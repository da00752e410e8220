"""What all training jobs share: metrics that match the program's log lines, images, channels, fingerprint."""

import ast
import re
from collections.abc import Callable, Mapping

import pytest
from botocore.exceptions import ClientError

from ml.jobs import job_inputs, weights
from tests.environments import with_settings

SOURCE = job_inputs.Source("s3://bucket/code/abc/source.tar.gz", "abc")
VALUES = {name: number / 8 for number, name in enumerate(job_inputs.METRICS, 1)} | {
    "test:loss": 12.5,
    "images_per_second": 1234.5,
    "learning_rate": 1.25e-7,
}


@pytest.fixture(scope="module")
def metric_line() -> Callable[..., str]:
    """The function of ml/container/evaluate.py, without the torch that its module imports."""
    module = ast.parse((job_inputs.CONTAINER / "evaluate.py").read_text())
    (function,) = [n for n in module.body if isinstance(n, ast.FunctionDef) and n.name == "metric_line"]
    namespace: dict = {"Mapping": Mapping}
    exec(compile(ast.Module([function], []), "evaluate.py", "exec"), namespace)
    return namespace["metric_line"]


def read(line: str) -> dict[str, float]:
    """Read metrics as SageMaker does: the first group of every definition."""
    found = {}
    for definition in job_inputs.metric_definitions():
        if match := re.search(definition["regex"], line):
            assert len(match.groups()) == 1
            found[definition["name"]] = float(match.group(1))
    return found


def test_every_metric_is_read_from_a_log_line_of_the_program(metric_line):
    assert read(metric_line(VALUES, epoch=3)) == pytest.approx(VALUES, rel=1e-6)
    assert read(metric_line(VALUES)) == pytest.approx(VALUES, rel=1e-6)


@pytest.mark.parametrize("name", job_inputs.METRICS)
def test_a_metric_is_read_only_from_its_name(metric_line, name):
    assert list(read(metric_line({name: 0.5}))) == [name]


@pytest.mark.parametrize(
    "line",
    [
        "pretrain:loss=0.5",
        "my_train:loss=0.5",
        "other:train:loss=0.5",
        "train:loss_scale=0.5",
        "train:loss: 0.5",
        "train:loss=nan",
        "loss=0.5",
    ],
)
def test_other_lines_have_no_metric(line):
    assert read(line) == {}


@pytest.mark.parametrize(("text", "value"), [("1e-05", 1e-5), ("-0.5", -0.5), (".5", 0.5), ("3", 3.0)])
def test_metrics_accept_every_format_of_numbers(text, value):
    assert read(f"train:loss={text} epoch=1") == {"train:loss": value}


def test_the_objective_is_a_metric_of_the_validation_split():
    assert job_inputs.OBJECTIVE in job_inputs.METRICS
    assert job_inputs.OBJECTIVE.startswith("validation:")


def test_fingerprints_depend_on_values_but_not_on_their_order():
    one = job_inputs.fingerprint(a={"x": 1, "y": [2, 3]}, b="c")
    assert job_inputs.fingerprint(b="c", a={"y": [2, 3], "x": 1}) == one
    assert job_inputs.fingerprint(b="c", a={"y": [3, 2], "x": 1}) != one
    assert re.fullmatch("[0-9a-f]{64}", one)
    # Fixed for all time: with another algorithm everything would be searched and trained again.
    assert job_inputs.fingerprint(digest="d", attempt=0)[:7] == "f221b0e"


@pytest.mark.parametrize(
    ("instance_type", "training", "serving"),
    [
        ("ml.m5.large", "pytorch:2.13-cpu-amzn2023-sagemaker", "ray:serve-ml-sagemaker-cpu-v1"),
        ("ml.c6i.xlarge", "pytorch:2.13-cpu-amzn2023-sagemaker", "ray:serve-ml-sagemaker-cpu-v1"),
        ("ml.g5.xlarge", "pytorch:2.13-cu133-amzn2023-sagemaker", "ray:serve-ml-sagemaker-cuda-v1"),
        ("ml.p4d.24xlarge", "pytorch:2.13-cu133-amzn2023-sagemaker", "ray:serve-ml-sagemaker-cuda-v1"),
    ],
)
def test_images_match_the_instance_type(dev, instance_type, training, serving):
    wanted = {"instance_type": instance_type}
    settings = with_settings(dev, training=wanted, serving=wanted).settings
    registry = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
    assert job_inputs.training_image(settings) == f"{registry}/{training}"
    assert job_inputs.serving_image(settings) == f"{registry}/{serving}"


def test_hyperparameters_are_strings(dev, manifest):
    static = job_inputs.hyperparameters(dev.settings, 3, manifest)
    assert all(isinstance(value, str) for value in static.values())
    assert (static["epochs"], static["mode"]) == ("3", "from-scratch")
    assert static["expected-images"] == "train=10,valid=10,test=10"
    assert job_inputs.toolkit_parameters(dev.settings)["sagemaker_program"] == "train.py"


def test_hosts_install_the_pytorch_of_this_repository():
    import torch

    here = f"torch=={torch.__version__.partition('+')[0]}"
    *_, wanted, vision = job_inputs.host_packages()
    assert wanted == here and vision.startswith("torchvision==")


def test_the_source_is_uploaded_once_per_content(account, dev, foundation):
    first, second = (job_inputs.upload_source(dev) for _ in range(2))
    assert first == second
    assert first.uri == f"s3://{foundation.bucket}/code/{first.digest[:16]}/source.tar.gz"
    key = first.uri.partition(f"{foundation.bucket}/")[2]
    stored = dev.client("s3").head_object(Bucket=foundation.bucket, Key=key)
    assert stored["SSEKMSKeyId"] == foundation.kms_key_arn


def test_channels_are_the_splits_and_the_program(account, dev, foundation, manifest):
    channels = job_inputs.channels(dev, SOURCE, manifest, ["train", "valid"])
    assert [c["channel_name"] for c in channels] == ["train", "valid", "code"]
    uris = [c["data_source"]["s3_data_source"]["s3_uri"] for c in channels]
    # With the slash: datasets/sample/train must not take datasets/sample/training too.
    expected = [f"s3://{foundation.bucket}/datasets/sample/{split}/" for split in ("train", "valid")]
    assert uris == [*expected, "s3://bucket/code/abc/"]
    assert {c["input_mode"] for c in channels} == {"File"}


def test_shards_are_streamed(account, dev, foundation, manifest):
    sharded = manifest.in_shards([], {})
    train, code = job_inputs.channels(dev, SOURCE, sharded, ["train"])
    uri = train["data_source"]["s3_data_source"]["s3_uri"]
    assert (uri, train["input_mode"]) == (
        f"s3://{foundation.bucket}/datasets/sample/shards/train/",
        "FastFile",
    )
    assert code["input_mode"] == "File"


def test_a_pretrained_network_has_a_channel_with_weights(account, dev, monkeypatch, manifest):
    pretrained = with_settings(dev, model={"mode": "linear-probe"})
    monkeypatch.setattr(weights, "upload", lambda *_: "s3://bucket/weights/resnet50/")
    channels = job_inputs.channels(pretrained, SOURCE, manifest, ["train"])
    assert channels[-1]["channel_name"] == "weights"


def test_git_commit_is_unknown_outside_a_repository_or_without_git(monkeypatch, tmp_path):
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?", job_inputs.git_commit())
    monkeypatch.setattr(job_inputs, "CONTAINER", tmp_path)
    assert job_inputs.git_commit() == "unknown"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert job_inputs.git_commit() == "unknown"


# ---- a new role ----

UNASSUMABLE = "Could not assume role arn:aws:iam::1:role/x. Please ensure that the role exists"


def refusing(times: int, message: str):
    """Return a function that SageMaker refuses so many times, and the list of its calls."""
    calls = []

    def create():
        calls.append(1)
        if len(calls) <= times:
            error = {"Code": "ValidationException", "Message": message}
            raise ClientError({"Error": error}, "CreateTrainingJob")

    return create, calls


def test_creation_is_retried_while_the_role_cannot_be_assumed(fast_clock):
    create, calls = refusing(2, UNASSUMABLE)
    job_inputs.create(create)
    assert len(calls) == 3
    assert fast_clock == [3, 3]


@pytest.mark.parametrize(("message", "patience"), [(UNASSUMABLE, -1), ("1 validation error detected", 90)])
def test_creation_is_not_retried_after_the_patience_or_for_another_refusal(fast_clock, message, patience):
    create, calls = refusing(99, message)
    with pytest.raises(ClientError):
        job_inputs.create(create, patience)
    assert len(calls) == 1


def test_a_job_that_another_command_created_in_the_same_moment_is_shared():
    def create():
        raise ClientError({"Error": {"Code": "ResourceInUse", "Message": "exists"}}, "CreateTrainingJob")

    job_inputs.create(create)
