"""From the operator's folder through S3 to training: the counts of manifest, channels and training log agree."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from environment import TrainingEnvironment
from errors import InputError
from hyperparameters import parse_hyperparameters
from ml.jobs import data, job_inputs
from ml.runner.storage import JobStorage
from process_group import join_process_group
from run import Run
from run_setup import prepare
from stop import StopRequest
from tests.conftest import BUCKET, Account
from tests.ml.jobs.data.pictures import SPLITS, picture, pictures


@pytest.fixture
def load(
    moto_aws, dev, foundation, tmp_path, monkeypatch, capsys
) -> Callable[..., tuple[data.Manifest, str]]:
    """Upload a folder, download its channels, and load them as the training program does. Returns manifest and log."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    dev.client("s3").create_bucket(Bucket=BUCKET)
    Account(dev).publish("foundation", foundation.model_dump())

    def run(
        root: Path,
        *,
        skip_bad: bool = False,
        split: str = "",
        change: Callable[[Path], None] = lambda _: None,
    ) -> tuple[data.Manifest, str]:
        shares = data.parse_shares(split) if split else None
        report = data.validate(root, shares=shares)
        manifest = data.upload(dev, data.manifest(root, report.accept(skip_bad), shares=shares)).manifest
        channels = {}
        for name, uri in job_inputs.split_uris(dev, manifest, list(SPLITS)).items():
            channels[name] = tmp_path / "opt" / name
            JobStorage().download(uri, channels[name])
        change(tmp_path / "opt")
        environment = dataclasses.replace(TrainingEnvironment.read({}), channels=channels)
        arguments = job_inputs.hyperparameters(dev.settings, 1, manifest)
        flags = [word for name, value in arguments.items() for word in (f"--{name}", value)]
        with join_process_group(environment) as group:
            prepare(
                Run(
                    hyperparameters=parse_hyperparameters(flags),
                    environment=environment,
                    group=group,
                    stop=StopRequest(),
                ),
                tmp_path,
            )
        return manifest, capsys.readouterr().out

    return run


def totals(manifest: data.Manifest) -> dict[str, int]:
    return {split: sum(by_class.values()) for split, by_class in manifest.counts.items()}


def logged(manifest: data.Manifest) -> str:
    """Return the counts as training logs them."""
    return "images: " + ", ".join(f"{count} {split}" for split, count in totals(manifest).items())


def named(root: Path, suffix: Callable[[int], str], count: int = 16) -> Path:
    return pictures(root / "v", [f"{c}/{n}{suffix(n)}" for c in ("a", "b") for n in range(count)])


@pytest.mark.parametrize(
    "suffix",
    [
        lambda n: ".bmp" if n % 3 == 0 else ".png",
        lambda n: ".bmp",
        lambda n: ".ppm",
        lambda n: ".tif",
        lambda n: ".gif",
        lambda n: ".avif",
    ],
    ids=["a third bmp", "bmp", "ppm", "tif", "gif", "avif"],
)
def test_training_reads_every_image_of_the_manifest(load, tmp_path, suffix):
    manifest, log = load(named(tmp_path, suffix))
    assert totals(manifest) == {"train": 24, "valid": 4, "test": 4}
    assert "2 classes; images: 24 train, 4 valid, 4 test" in log


def test_the_suffix_of_a_name_does_not_matter(load, tmp_path):
    root = named(tmp_path, lambda n: ".png")
    picture(root / "a" / "x.bmp", 90).rename(root / "a" / "x.jpg")
    picture(root / "b" / "x.png", 91).rename(root / "b" / "x")
    manifest, log = load(root)
    assert sum(totals(manifest).values()) == 34 and logged(manifest) in log
    assert manifest.converted == {"BMP": [key for key in manifest.files if key.endswith("x.jpg.png")]}


@pytest.mark.parametrize("skip_bad", [False, True])
def test_nested_images_are_in_the_manifest_and_in_training(load, tmp_path, skip_bad):
    root = named(tmp_path, lambda n: ".png", 15)
    picture(root / "a" / "session1" / "0.png", 90)
    picture(root / "b" / "session1" / "0.png", 91)
    if skip_bad:
        (root / "a" / "notes.txt").write_text("no image", encoding="utf-8")
    manifest, log = load(root, skip_bad=skip_bad)
    assert sum(totals(manifest).values()) == 32
    assert sum("session1__0.png" in key for key in manifest.files) == 2
    assert logged(manifest) in log


def test_special_characters_in_names_reach_training(load, tmp_path):
    root = named(tmp_path, lambda n: ".png", 3)
    names = ("a b.png", "a#b.png", "a?b.png", "a%20b.png", "a+b.png", "é.png", "a..b.png")
    pictures(root / "a b#?%+", names, size=(21, 20))
    pictures(root / "b", [f"again {name}" for name in names], size=(20, 20))
    manifest, log = load(root)
    assert {key.split("/")[2] for key in manifest.files if "/a b#?%+/" in key} == set(names)
    assert sum(totals(manifest).values()) == 20 and logged(manifest) in log


def test_a_missing_split_is_made_for_training_too(load, tmp_path):
    root = pictures(
        tmp_path / "v", [f"{s}/{c}/{n}.png" for s in ("train", "val") for c in "ab" for n in range(8)]
    )
    assert "images: 14 train, 16 valid, 2 test" in load(root, split="70/15/15")[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda channels: next((channels / "train" / "a").iterdir()).unlink(),
        lambda channels: picture(channels / "train" / "a" / "more.png", 99),
    ],
    ids=["one less", "one more"],
)
def test_training_fails_if_a_channel_has_another_number_of_images(load, tmp_path, change):
    with pytest.raises(
        InputError, match=r"channel 'train' has (23|25) images and the data set's manifest has 24"
    ):
        load(named(tmp_path, lambda n: ".png"), change=change)
