"""Predictions of the deployed model: of one image, and the accuracy on a split."""

from __future__ import annotations

from typing import Any

from ml.jobs import predictions
from ops import console
from ops.console import Stage, Step, say
from ops.environment import Environment


def predict(
    env: Environment,
    endpoint: str | None = None,
    *,
    image: str | None = None,
    url: str | None = None,
    s3_uri: str | None = None,
    top_k: int | None = None,
) -> dict[str, Any]:
    """Predict the class of an image, given as a file, a URL or an S3 URI; by default, of one of the test split."""
    target = env.outputs.serving(endpoint)
    if not (image or url or s3_uri):
        example, label = predictions.example(env)
        s3_uri = str(example)
        say(f"{s3_uri} (is {label}):")
    answer = predictions.invoke(env, target, predictions.event(image, url, s3_uri, top_k))
    rows = [(p["label"], f"{p['probability']:.4f}") for p in answer["predictions"]]
    console.table("", ["class", "probability"], rows)
    return answer


def accuracy(
    env: Environment,
    endpoint: str | None = None,
    split: str = "test",
    limit: int | None = None,
    stages: list[Stage] | None = None,
) -> dict[str, Any]:
    """Send a split through the function and count the correct predictions. limit: at most so many images."""
    target = env.outputs.serving(endpoint)
    function = target.function_name
    with Step("predict", stages) as step:
        result = predictions.accuracy(
            env,
            target,
            split=split,
            limit=limit,
            on_progress=lambda done, total: step(f"{done} of {total} images through {function}"),
        )
        step.note = f"{result.correct} of {result.images} {split} images correct ({result.value:.1%}) through {function}"
    return {"split": split, "images": result.images, "correct": result.correct, "accuracy": result.value}
