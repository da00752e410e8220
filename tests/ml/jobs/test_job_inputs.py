"""What every training job shares: metrics that match the program's own lines, image, channels, fingerprint."""

import ast
import re
from collections.abc import Callable, Mapping

import pytest
from botocore.exceptions import ClientError

from ml.jobs import job_inputs as program
from ml.jobs import weights
from ops.aws import client
from ops.errors import OperatorError

SOURCE = program.Source("s3://bucket/code/abc/source.tar.gz", "abc")
VALUES = {
    "train:loss": 0.1234,
    "train:accuracy": 0.9,
    "validation:loss": 1e-7,
    "validation:accuracy": 1.0,
    "test:loss": 12.5,
    "test:accuracy": 0.875,
    "images_per_second": 1234.5,
}


@pytest.fixture(scope="module")
def metric_line() -> Callable[..., str]:
    """ml/container/evaluate.py's own function, without the torch that its module imports."""
    module = ast.parse((program.CONTAINER / "evaluate.py").read_text())
    (function,) = [n for n in module.body if isinstance(n, ast.FunctionDef) and n.name == "metric_line"]
    namespace: dict = {"Mapping": Mapping}
    exec(compile(ast.Module([function], []), "evaluate.py", "exec"), namespace)
    return namespace["metric_line"]


def read(line: str) -> dict[str, float]:
    """As SageMaker does: every definition's first group."""
    found = {}
    for definition in program.metric_definitions():
        if match := re.search(definition["regex"], line):
            assert len(match.groups()) == 1
            found[definition["name"]] = float(match.group(1))
    return found


def test_every_metric_is_read_from_the_program_s_own_line(metric_line):
    assert read(metric_line(VALUES, epoch=3)) == pytest.approx(VALUES, abs=1e-6)
    assert read(metric_line(VALUES)) == pytest.approx(VALUES, abs=1e-6)


@pytest.mark.parametrize("name", program.METRICS)
def test_a_metric_is_read_from_its_own_name_only(metric_line, name):
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
def test_other_lines_are_no_metric(line):
    assert read(line) == {}


@pytest.mark.parametrize(("text", "value"), [("1e-05", 1e-5), ("-0.5", -0.5), (".5", 0.5), ("3", 3.0)])
def test_numbers_in_any_spelling(text, value):
    assert read(f"train:loss={text} epoch=1") == {"train:loss": value}


def test_the_objective_is_a_metric_of_the_validation_split():
    assert program.OBJECTIVE in program.METRICS
    assert program.OBJECTIVE.startswith("validation:")


def test_fingerprints_depend_on_contents_not_on_order():
    one = program.fingerprint(a={"x": 1, "y": [2, 3]}, b="c")
    assert program.fingerprint(b="c", a={"y": [2, 3], "x": 1}) == one
    assert program.fingerprint(b="c", a={"y": [3, 2], "x": 1}) != one
    assert re.fullmatch("[0-9a-f]{64}", one)
    # Of all time: another algorithm would search and train everything again.
    assert program.fingerprint(digest="d", attempt=0)[:7] == "f221b0e"


@pytest.mark.parametrize(
    ("instance_type", "training", "serving"),
    [
        ("ml.m5.large", "pytorch:2.13-cpu-amzn2023-sagemaker", "ray:serve-ml-sagemaker-cpu-v1"),
        ("ml.c6i.xlarge", "pytorch:2.13-cpu-amzn2023-sagemaker", "ray:serve-ml-sagemaker-cpu-v1"),
        ("ml.g5.xlarge", "pytorch:2.13-cu133-amzn2023-sagemaker", "ray:serve-ml-sagemaker-cuda-v1"),
        ("ml.p4d.24xlarge", "pytorch:2.13-cu133-amzn2023-sagemaker", "ray:serve-ml-sagemaker-cuda-v1"),
    ],
)
def test_images_fit_the_instance_type(dev, instance_type, training, serving):
    settings = dev.model_copy(
        update={
            "training": dev.training.model_copy(update={"instance_type": instance_type}),
            "serving": dev.serving.model_copy(update={"instance_type": instance_type}),
        }
    )
    registry = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
    assert program.training_image(settings) == f"{registry}/{training}"
    assert program.serving_image(settings) == f"{registry}/{serving}"


def test_hyperparameters_are_strings(dev):
    static = program.hyperparameters(dev, epochs=3)
    assert all(isinstance(value, str) for value in static.values())
    assert (static["epochs"], static["pretrained"]) == ("3", "false")
    assert program.toolkit_parameters(dev)["sagemaker_program"] == "train.py"


def test_the_pytorch_for_other_machines_is_the_project_s_own():
    import torch

    here = f"torch=={torch.__version__.partition('+')[0]}"
    *_, wanted, vision = program.host_packages()
    assert wanted == here and vision.startswith("torchvision==")


def test_the_source_is_uploaded_once_per_content(account, dev, foundation):
    first, second = (program.upload_source(dev, foundation) for _ in range(2))
    assert first == second
    assert first.uri == f"s3://{foundation.bucket}/code/{first.digest[:16]}/source.tar.gz"
    key = first.uri.partition(f"{foundation.bucket}/")[2]
    stored = client("s3", dev.region).head_object(Bucket=foundation.bucket, Key=key)
    assert stored["SSEKMSKeyId"] == foundation.kms_key_arn


def test_channels_are_the_splits(dev, foundation):
    channels = program.channels(dev, foundation, SOURCE, "dogs", ["train", "valid"])
    assert [c["channel_name"] for c in channels] == ["train", "valid", "code"]
    uris = [c["data_source"]["s3_data_source"]["s3_uri"] for c in channels]
    # With the slash: datasets/dogs/train must not take datasets/dogs/training too.
    expected = [f"s3://{foundation.bucket}/datasets/dogs/{split}/" for split in ("train", "valid")]
    assert uris == [*expected, "s3://bucket/code/abc/"]


def test_a_pretrained_network_has_a_channel_with_weights(dev, foundation, monkeypatch):
    settings = dev.model_copy(update={"model": dev.model.model_copy(update={"pretrained": True})})
    monkeypatch.setattr(weights, "upload", lambda *_: "s3://bucket/weights/resnet50/")
    channels = program.channels(settings, foundation, SOURCE, "dogs", ["train"])
    assert channels[-1]["channel_name"] == "weights"


@pytest.mark.parametrize(
    ("code", "message", "missing"),
    [
        ("ResourceNotFound", "", True),
        ("ValidationException", "Could not find training job", True),
        ("ValidationException", "Requested resource not found.", True),
        ("ValidationException", "1 validation error detected", False),
        ("ThrottlingException", "Rate exceeded; not found", False),
    ],
)
def test_what_means_that_a_job_is_missing(code, message, missing):
    error = ClientError({"Error": {"Code": code, "Message": message}}, "DescribeTrainingJob")
    assert program.is_missing(error) == missing


def test_the_commit_is_that_of_the_tree(monkeypatch, tmp_path):
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?", program.git_commit())
    monkeypatch.setattr(program, "CONTAINER", tmp_path)
    assert program.git_commit() == "unknown"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program.git_commit() == "unknown"


# ---- pretrained weights ----


@pytest.fixture
def resnet(dev):
    model = {"architecture": "resnet18", "pretrained": True}
    return dev.model_copy(update={"model": dev.model.model_copy(update=model)})


def test_weights_are_uploaded_once(account, resnet, foundation, monkeypatch, tmp_path):
    (tmp_path / "resnet18.pth").write_bytes(b"weights")
    monkeypatch.setattr(weights, "_CACHE", tmp_path)
    assert weights.upload(resnet, foundation) == f"s3://{foundation.bucket}/weights/resnet18/"
    (tmp_path / "resnet18.pth").unlink()
    assert weights.upload(resnet, foundation) == f"s3://{foundation.bucket}/weights/resnet18/"


def test_weights_that_cannot_be_had_are_told_in_one_sentence(
    account, resnet, foundation, monkeypatch, tmp_path
):
    monkeypatch.setattr(weights, "_CACHE", tmp_path)
    monkeypatch.setattr(
        weights, "_DOWNLOAD", "import sys\nprint('ignored')\nsys.exit('URLError: no network')"
    )
    with pytest.raises(
        OperatorError, match=r"resnet18 could not be downloaded \(URLError: no network\).*state_dict at"
    ):
        weights.upload(resnet, foundation)


def test_small_cnn_has_no_weights(dev, foundation):
    with pytest.raises(OperatorError, match="small_cnn has no pretrained weights"):
        weights.upload(dev, foundation)


# ---- a role that has only just been made ----

UNASSUMABLE = "Could not assume role arn:aws:iam::1:role/x. Please ensure that the role exists"


def refusing(times: int, message: str):
    """A creation that SageMaker refuses so many times, and the calls it got."""
    calls = []

    def create():
        calls.append(1)
        if len(calls) <= times:
            error = {"Code": "ValidationException", "Message": message}
            raise ClientError({"Error": error}, "CreateTrainingJob")

    return create, calls


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(program, "pauses", lambda shortest: iter([None] * 99))


def test_a_role_that_cannot_be_assumed_yet_is_waited_for(no_pauses):
    create, calls = refusing(2, UNASSUMABLE)
    program.with_fresh_role(create)
    assert len(calls) == 3


@pytest.mark.parametrize(("message", "patience"), [(UNASSUMABLE, -1), ("1 validation error detected", 90)])
def test_any_other_refusal_counts_at_once_and_this_one_at_last(no_pauses, message, patience):
    create, calls = refusing(99, message)
    with pytest.raises(ClientError):
        program.with_fresh_role(create, patience)
    assert len(calls) == 1
