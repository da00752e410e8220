"""The features job: shared by searches and trainings with the same data and backbone, resumed, refused by sentence."""

import boto3
import pytest
from botocore.exceptions import ClientError

from ml.jobs import features, follow, job_inputs, weights
from ml.jobs.features import DECIDING, FeaturesJob
from ops import s3
from ops.errors import OperatorError
from ops.settings.tunable import TUNABLE
from tests.environments import with_clients, with_settings

SOURCE = job_inputs.Source("s3://bucket/code/abc/source.tar.gz", "abc")


class Sagemaker:
    """Training jobs by name, as created by `submit`."""

    def __init__(self):
        self.jobs: dict[str, dict] = {}

    def describe_training_job(self, TrainingJobName):
        if TrainingJobName not in self.jobs:
            error = {"Code": "ValidationException", "Message": "Requested resource not found."}
            raise ClientError({"Error": error}, "DescribeTrainingJob")
        return self.jobs[TrainingJobName]


@pytest.fixture
def sagemaker(monkeypatch):
    """Features jobs that succeed, and write their index, as soon as they are followed."""
    fake = Sagemaker()

    def submit(env, manifest, source, name, uri):
        fake.jobs[name] = {
            "TrainingJobName": name,
            "TrainingJobStatus": "InProgress",
            "TrainingTimeInSeconds": 100,
            "FinalMetricDataList": [{"MetricName": "features_seconds", "Value": 61.5}],
            "BillableTimeInSeconds": 36,
            "ResourceConfig": {"InstanceType": "ml.m5.2xlarge", "InstanceCount": 1},
            "uri": uri,
        }

    def end(env, name, on_status, on_line):
        job = fake.jobs[name]
        on_status("Training")
        job["TrainingJobStatus"] = "Completed"
        files = {f"{split}.npy": b"" for split in features.SPLITS} | {"features.json": b'{"complete": true}'}
        for file, body in files.items():
            env.client("s3").put_object(Bucket=job["uri"].bucket, Key=f"{job['uri'].key}{file}", Body=body)
        return job

    monkeypatch.setattr(features, "submit", submit)
    monkeypatch.setattr(follow, "training_job", end)
    return fake


@pytest.fixture
def env(account, dev, sagemaker, monkeypatch):
    """Environment dev with a frozen backbone, whose weights are in the bucket."""
    monkeypatch.setattr(weights, "upload", lambda env: str(s3.in_data_bucket(env, "weights/resnet18/")))
    dev.client("s3").put_object(Bucket=dev.data_bucket, Key="weights/resnet18/resnet18.pth", Body=b"weights")
    probe = with_settings(dev, model={"architecture": "resnet18", "mode": "linear-probe"})
    return with_clients(probe, sagemaker=sagemaker)


def ensure(env, manifest):
    return FeaturesJob(env, manifest).ensure(SOURCE, on_status=lambda text: None)


def test_features_are_computed_once_and_then_reused(env, manifest, sagemaker):
    assert FeaturesJob(env, manifest).find() is None
    first = ensure(env, manifest)
    assert (first.seconds, first.computing_seconds, first.billable_seconds) == (100, 61.5, 36)
    assert not first.reused
    assert first.usd == pytest.approx(0.461 * 36 / 3600, rel=1e-3)
    again = ensure(env, manifest)
    assert (again.job, again.uri, again.reused, len(sagemaker.jobs)) == (first.job, first.uri, True, 1)
    assert FeaturesJob(env, manifest).find() == again


def test_the_name_of_the_job_fits_and_the_prefix_names_the_features(env, manifest):
    found = ensure(env, manifest)
    assert found.job.startswith("image-classifier-dev-features-") and len(found.job) <= 63
    assert found.uri.startswith(f"s3://{env.data_bucket}/features/") and found.uri.endswith("/")


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": {"augmentation": "trivial"}},
        {"recipe": {"feature_views": 4}},
        {"recipe": {"precision": "float32"}},
        {"recipe": {"random_erasing": 0.2}},
        {"model": {"image_size": 96}},
        {"model": {"architecture": "resnet50"}},
        {"training": {"seed": 5}},
        {"training": {"instance_type": "ml.g5.xlarge"}},
    ],
)
def test_whatever_decides_the_features_gives_another_job(env, manifest, change):
    assert FeaturesJob(with_settings(env, **change), manifest).uri != FeaturesJob(env, manifest).uri


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": {"mixup": 0.2, "label_smoothing": 0.1, "patience": 3}},
        {"model": {"head": "original"}},
        {"training": {"epochs": 99, "weight_decay": 0.1, "spot": True}},
        {"tuning": {"epochs": 99, "max_jobs": 8}},
    ],
)
def test_what_concerns_the_head_only_does_not(env, manifest, change):
    assert FeaturesJob(with_settings(env, **change), manifest).uri == FeaturesJob(env, manifest).uri


def test_other_data_or_other_weights_give_other_features(env, manifest):
    before = FeaturesJob(env, manifest).uri
    fewer = type(manifest)(manifest.dataset, dict(list(manifest.files.items())[1:]))
    assert FeaturesJob(env, fewer).uri != before
    others = with_settings(env, model={"weights": "mine.pth", "weights_sha256": "0" * 64})
    assert FeaturesJob(others, manifest).uri != before


@pytest.mark.parametrize("file", [features.INDEX, "train.npy", "test.npy"])
def test_features_that_have_expired_are_computed_again(env, manifest, sagemaker, file):
    first = ensure(env, manifest)
    uri = s3.S3Uri.parse(first.uri) / file
    env.client("s3").delete_object(Bucket=uri.bucket, Key=uri.key)
    second = ensure(env, manifest)
    assert (second.uri, second.reused) == (first.uri, False)
    assert len(sagemaker.jobs) == 2


def test_an_interrupted_command_follows_the_job_that_it_started(env, manifest, sagemaker, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(follow, "training_job", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ensure(env, manifest)
    assert ensure(env, manifest).job == next(iter(sagemaker.jobs))
    assert len(sagemaker.jobs) == 1


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (
            {"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: the disk is full"},
            "ended as Failed: AlgorithmError: the disk is full. Its whole log",
        ),
        ({"TrainingJobStatus": "Stopped"}, "ended as Stopped: it was stopped, or ran longer than"),
    ],
)
def test_a_failed_job_is_a_sentence_and_the_next_one_continues_in_its_prefix(
    env, manifest, sagemaker, monkeypatch, ending, message
):
    with monkeypatch.context() as patch:
        patch.setattr(follow, "training_job", lambda env, name, *_: sagemaker.jobs[name] | ending)
        with pytest.raises(OperatorError, match=message) as failed:
            ensure(env, manifest)
    assert "run the same command again: it continues" in str(failed.value)
    (name,) = sagemaker.jobs
    sagemaker.jobs[name] |= ending
    assert ensure(env, manifest).job != name
    assert len({str(job["uri"]) for job in sagemaker.jobs.values()}) == 1


def test_features_are_shared_only_by_a_frozen_backbone_and_equal_preprocessing(env, dev):
    assert features.shared(env.settings, {"learning-rate", "mixup"})
    assert not features.shared(dev.settings)
    assert set(DECIDING) <= set(TUNABLE)
    for name in DECIDING:
        assert not features.shared(env.settings, {name, "learning-rate"})


def test_the_program_digest_follows_the_imports_of_the_features(tmp_path, monkeypatch):
    monkeypatch.setattr(job_inputs, "CONTAINER", tmp_path)
    files = {
        "features.py": "import torch\nfrom images import decode\n",
        "images.py": "import errors\n",
        "errors.py": "",
        "loss.py": "",
        "model.py": "",
        "pretrained.py": "",
    }

    def digest(**changes: str) -> str:
        for name, text in {**files, **changes}.items():
            (tmp_path / name).write_text(text)
        return features.program_digest()

    before = digest()
    assert digest() == before == digest(**{"loss.py": "x = 1\n"})
    for name in ("features.py", "images.py", "errors.py", "model.py"):
        assert digest(**{name: files[name] + "x = 1\n"}) != before, name


def test_the_request_of_the_job(account, dev, foundation, manifest, monkeypatch):
    sent = {}
    account.publish("foundation", foundation.model_dump())

    class TrainingJob:
        @staticmethod
        def create(**request):
            sent.update(request)

    monkeypatch.setattr(features, "sdk", lambda: type("Resources", (), {"TrainingJob": TrainingJob}))
    env = with_settings(dev, training={"spot": True, "max_runtime_seconds": 3600})
    uri = s3.in_data_bucket(env, "features/abc/")
    features.submit(env, manifest, SOURCE, "image-classifier-dev-features-x", uri)
    assert sent["hyper_parameters"]["task"] == "features"
    assert sent["checkpoint_config"] == {"s3_uri": f"s3://{env.data_bucket}/features/abc/"}
    assert [c["channel_name"] for c in sent["input_data_config"]] == ["train", "valid", "test", "code"]
    assert sent["stopping_condition"] == {"max_runtime_in_seconds": 3600, "max_wait_time_in_seconds": 7200}
    assert sent["enable_network_isolation"] is True
    assert isinstance(sent["session"], boto3.Session)
