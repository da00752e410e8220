"""Predictions of the deployed model: of one image, and the accuracy on a split."""

from __future__ import annotations

from typing import Any

from ml.jobs import data, predictions
from ops import console
from ops.console import Stage, Step, say
from ops.environment import Environment
from ops.errors import OperatorError
from pipeline import answers


def predict(
    env: Environment,
    endpoint: str | None = None,
    *,
    image: str | None = None,
    url: str | None = None,
    s3_uri: str | None = None,
    top_k: int | None = None,
) -> dict[str, Any]:
    """Predict the class of an image, given as a file, a URL or an S3 URI; by default, of one of the test split.

    Raises Refused if an image of the test split is to be predicted by a model of other data.
    """
    target = env.outputs.serving(endpoint)
    if not (image or url or s3_uri):
        answers.check_labels(env, target)
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
    """Send a split through the function and count the correct predictions. limit: at most so many images.

    The stage is degraded if the answers fall short of the model's test accuracy. Raises OperatorError if they are no
    better than guesses, and Refused if the model is of other data.
    """
    with Step("predict", stages) as step:
        target = env.outputs.serving(endpoint)
        function = target.function_name
        answers.check_labels(env, target)
        result = predictions.accuracy(
            env,
            target,
            split=split,
            limit=limit,
            on_progress=lambda done, total: step(f"{done} of {total} images through {function}"),
        )
        if problem := answers.shortfall(env, target, result):
            log = f"the function's log is in /aws/lambda/{function}"
            if result.correct * len(data.current(env).classes) <= result.images:
                raise OperatorError(f"The answers are no better than guesses: {problem}; {log}.")
            step.degrade(f"{problem}; {log}")
        step.note = f"{result.correct} of {result.images} {split} images correct ({result.value:.1%}) through {function}"
    return {
        **step.ending,
        "split": split,
        "images": result.images,
        "correct": result.correct,
        "accuracy": result.value,
    }
