"""Inputs of a report as a real environment would give them, with any number of classes, and without AWS."""

from __future__ import annotations

import hashlib
import math
import random
from datetime import datetime, timedelta, timezone
from typing import Any

from PIL import Image

from ml.container.images import to_png
from ml.jobs.data.manifest import ImageEntry, Manifest
from ml.jobs.registry import Version
from ml.jobs.search import FeaturesResult, SearchResult
from ml.jobs.trials import Trial
from ops import settings
from ops.live_endpoint import LiveEndpoint
from ops.outputs import Serving
from pipeline.report import comparison
from pipeline.report.documents import Evaluation, History, Problems
from pipeline.report.inputs import Endpoint, Inputs, Model, Search
from pipeline.report.thumbnails import thumbnail
from pipeline.stage_times import StageTime

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=timezone.utc)
BREEDS = [
    "Affenpinscher",
    "Akita",
    "Basenji",
    "Beagle",
    "Borzoi",
    "Briard",
    "Collie",
    "Dalmatian",
    "Komondor",
    "Pointer",
]
EVIL = "<script>alert('class')"
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev"
SMALLEST = 2 / 3
"""The smallest class has this share of the images of an average one."""


class PaintedThumbnails:
    """Thumbnails of images that are painted when they are asked for, one hue for each class."""

    def of(self, dataset: str, keys: Any, side: int = 96) -> dict[str, str]:
        """Return the data: URI of each key."""
        return {key: _painted(key, side) for key in keys}


def _painted(key: str, side: int) -> str:
    digest = hashlib.sha256(key.split("/")[1].encode()).digest()
    seed = random.Random(key)
    image = Image.new("RGB", (120, 90), tuple(80 + byte // 3 for byte in digest[:3]))
    for _ in range(6):
        x, y, r = seed.randrange(120), seed.randrange(90), seed.randrange(8, 30)
        image.paste(tuple(seed.randrange(256) for _ in range(3)), (x, y, min(120, x + r), min(90, y + r)))
    made = thumbnail(to_png(image), side)
    assert made is not None
    return made


def class_names(count: int, *, evil: bool = False) -> list[str]:
    """Return class names; the first one is markup if `evil`."""
    names = [
        BREEDS[at] if count <= len(BREEDS) else f"{at:03}.{BREEDS[at % 10]}_terrier" for at in range(count)
    ]
    return sorted([EVIL, *names[1:]] if evil else names)


def manifest(classes: list[str], each: int = 60) -> Manifest:
    """Return a data set of unequal classes with about `each` training images per class."""
    files = {}
    for at, name in enumerate(classes):
        images = round(each * (SMALLEST + 2 * (1 - SMALLEST) * at / max(1, len(classes) - 1)))
        for split, share in (("train", 1.0), ("valid", 0.2), ("test", 0.2)):
            for number in range(max(1, round(images * share))):
                key = f"{split}/{name}/{number:04}.jpg"
                files[key] = ImageEntry(hashlib.sha256(key.encode()).hexdigest(), 9)
    return Manifest("dogs", files)


def evaluation(classes: list[str], *, accuracy: float = 0.85, seed: int = 1) -> Evaluation:
    """Return the evaluation of a model of about this accuracy. Neighbors in the alphabet are confused most."""
    draw, count, images = random.Random(seed), len(classes), 24
    matrix = [[0] * count for _ in range(count)]
    for at in range(count):
        for _ in range(images):
            wrong = draw.random() > accuracy
            near = (at + draw.choice((1, 1, 1, 2, 5))) % count if wrong else at
            matrix[at][near] += 1
    columns = [sum(row[at] for row in matrix) for at in range(count)]
    per_class = []
    for at, name in enumerate(classes):
        recall = matrix[at][at] / images
        precision = matrix[at][at] / columns[at] if columns[at] else 0.0
        f1 = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
        per_class.append(
            {"class": name, "images": images, "recall": recall, "precision": precision, "f1": f1}
        )
    total = sum(matrix[at][at] for at in range(count)) / (images * count)
    return Evaluation.model_validate(
        {
            "split": "test",
            "classes": classes,
            "images": images * count,
            "loss": 0.61,
            "accuracy": total,
            "top5_accuracy": min(1.0, total + 0.1),
            "balanced_accuracy": total - 0.01,
            "per_class": per_class,
            "confusion_matrix": matrix,
            "calibration": {
                "temperature": 1.42,
                "ece_before": 0.083,
                "ece_after": 0.019,
                "bins": [
                    {"confidence": (at + 0.6) / 15, "accuracy": ((at + 0.5) / 15) ** 1.1, "count": 4 + at**2}
                    for at in range(3, 15)
                ],
            },
            "mistakes": _mistakes(classes, draw),
            "label_issues": _issues(classes, draw),
        }
    )


def _mistakes(classes: list[str], draw: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "image": f"{classes[at]}/{number:04}.jpg",
            "true": classes[at],
            "predicted": classes[(at + 1) % len(classes)],
            "confidence": 0.999 - 0.01 * number,
        }
        for number, at in enumerate(draw.choices(range(len(classes)), k=30))
    ]


def _issues(classes: list[str], draw: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "split": "train",
            "image": f"{classes[at]}/{number:04}.jpg",
            "label": classes[at],
            "suggested": classes[(at + 3) % len(classes)],
            "score": 0.001 + 0.01 * number,
        }
        for number, at in enumerate(draw.choices(range(len(classes)), k=7))
    ]


def history(epochs: int = 12) -> list[dict[str, float]]:
    """Return the epochs of a training that overfits slightly at its end."""
    return History.model_validate(
        [
            {
                "train:loss": 2.2 * math.exp(-0.35 * at) + 0.05,
                "train:accuracy": 1 - 0.85 * math.exp(-0.4 * at),
                "validation:loss": 2.1 * math.exp(-0.35 * at) + 0.3 + 0.012 * at,
                "validation:accuracy": 0.87 - 0.75 * math.exp(-0.4 * at),
                "learning_rate": 0.003 * (1 + math.cos(math.pi * at / epochs)) / 2,
                "images_per_second": 410.0 + at,
            }
            for at in range(epochs)
        ]
    ).epochs


def version(number: int, data: Manifest, accuracy: float) -> Version:
    """Return an approved version that SageMaker trained on a data set."""
    lineage = {
        "dataset": data.dataset,
        "data_hash": data.hash,
        "classes": str(len(data.classes)),
        "git_commit": "4be1c0ffee" * 4,
        "source": "0f3c9d2e1a7b5c48",
        "architecture": "efficientnet_lite0",
        "tuning_job": "image-classifier-dev-tune-0a1b2c3",
        "training_job": f"image-classifier-dev-train-{number:07}",
        "launcher": "sagemaker",
        "instance_type": "ml.g5.xlarge",
        "instance_count": "1",
        "spot": "true",
        "training_seconds": "734",
        "billable_seconds": "312",
        "test_accuracy": f"{accuracy:.6f}",
    }
    created = NOW - timedelta(days=3 * (5 - number))
    artifact = f"s3://bucket/training/{number}/model.tar.gz"
    reason = f"Its test accuracy {accuracy:.4f} reaches the minimum of 0.8"
    return Version(number, f"{PACKAGE}/{number}", "Approved", created, lineage, reason, artifact)


def search(trials: int = 24) -> Search:
    """Return a search whose objective depends on the learning rate and, less, on the optimizer. One trial failed."""
    draw, found = random.Random(7), []
    start = NOW - timedelta(hours=6)
    for number in range(trials):
        rate = 10 ** draw.uniform(-4, -1)
        optimizer = draw.choice(["adamw", "sgd"])
        objective = 0.86 - 0.06 * (math.log10(rate) + 2.6) ** 2 + 0.01 * (optimizer == "adamw")
        values = {
            "learning-rate": f"{rate:.6f}",
            "batch-size": str(draw.choice([16, 32, 64, 128])),
            "optimizer": optimizer,
            "label-smoothing": f"{draw.uniform(0, 0.2):.3f}",
            "_tuning_objective_metric": "validation:accuracy",
        }
        failed = number == 4
        seconds = 95 + draw.randrange(40)
        end = start + timedelta(seconds=seconds)
        found.append(
            Trial(
                values,
                f"trial-{number + 1:03}",
                "Failed" if failed else "Completed",
                None if failed else objective + draw.gauss(0, 0.004),
                start,
                end,
                float(seconds),
                "AlgorithmError: the loss is NaN in epoch 2; lower --learning-rate" if failed else "",
                usd=seconds * 1.408 / 3600,
            )
        )
        start = end
    found.sort(key=lambda trial: -(trial.objective or 0))
    best = found[0]
    result = SearchResult(
        tuning_job="image-classifier-dev-tune-0a1b2c3",
        model={},
        data_hash="h",
        dataset="dogs",
        best_training_job=best.name,
        best_objective=best.objective or 0.0,
        hyperparameters=best.hyperparameters,
        features=FeaturesResult(
            job="image-classifier-dev-features-9f8e7d6",
            seconds=212,
            computing_seconds=150,
            usd=0.083,
            reused=False,
            saved_seconds=4876,
            saved_usd=1.91,
        ),
    )
    return Search(result, found, NOW - timedelta(hours=6), start)


def inputs(classes: int = 10, *, evil: bool = False, trials: int = 6) -> Inputs:
    """Return the inputs of a full report. evil: one class has markup as its name. trials: of the search."""
    names = class_names(classes, evil=evil)
    data = manifest(names)
    models = []
    for number, accuracy in ((5, 0.87), (4, 0.84), (3, 0.8)):
        found = evaluation(names, accuracy=accuracy, seed=number)
        parameters = {
            "learning-rate": f"0.00{number}",
            "batch-size": "64",
            "epochs": str(2 * number),
            "data-hash": "ab" * number,
            "seed": "0",
        }
        models.append(
            Model(
                version(number, data, found.accuracy),
                found,
                history(),
                parameters,
                "registry/pytorch-training:2.8",
            )
        )
    keys = sorted(data.files)
    pairs = [
        {"first": keys[0], "second": next(k for k in keys if k.startswith("train/")), "distance": 2},
        {"first": keys[-1], "second": keys[-2], "distance": 0},
    ]
    stages = {
        "foundation": 8.2,
        "data": 41.5,
        "tune": 700.0,
        "train": 760.0,
        "deploy": 412.0,
        "predict": 21.3,
    }
    return Inputs(
        settings=settings.load("dev"),
        made=NOW,
        manifest=data,
        thumbnails=PaintedThumbnails(),  # type: ignore[arg-type]
        uploaded=NOW - timedelta(days=2),
        problems=Problems.model_validate({"near_duplicates": pairs}),
        search=search(trials),
        models=models,
        chosen=models[0],
        compared=(models[1], models[0]),
        endpoints=[_endpoint()],
        times={
            name: StageTime(
                seconds=seconds, ended=NOW, note="96.1% of 240 images" if name == "predict" else ""
            )
            for name, seconds in stages.items()
        },
        launchers=[
            comparison.Row("here", "2 × x86_64", 930, 931, 0.0, False, "0.86", 3),
            comparison.Row("sagemaker", "1 × ml.g5.xlarge Spot", 734, 312, 0.122, True, "0.87", 5),
        ],
    )


def empty_inputs() -> Inputs:
    """Return the inputs of a report of an environment that has data and nothing else."""
    command = "There are no tuned hyperparameters yet: run ./inv tune --env dev."
    return Inputs(
        settings=settings.load("dev"),
        made=NOW,
        manifest=manifest(class_names(3), 4),
        thumbnails=PaintedThumbnails(),  # type: ignore[arg-type]
        no_problems="The data set was not searched for near-duplicates: ./inv data --env dev does that.",
        no_search=command,
    )


def _endpoint() -> Endpoint:
    outputs = Serving(
        endpoint_name="image-classifier-dev",
        endpoint_config_name="image-classifier-dev-new",
        model_package_arn=f"{PACKAGE}/5",
        variants={"AllTraffic": f"{PACKAGE}/5"},
        hosting="instance",
        instance_type="ml.m5.large",
        scaled_variants=["AllTraffic"],
        min_capacity=1,
        max_capacity=3,
        scheduled=False,
        function_name="image-classifier-dev-inference",
        function_alias="live",
        function_alias_arn="arn:alias",
        function_version="7",
        provisioned_concurrency=2,
        provisioned_qualifier="7",
    )
    return Endpoint(
        outputs, LiveEndpoint("image-classifier-dev", "InService", packages={"AllTraffic": f"{PACKAGE}/5"})
    )
