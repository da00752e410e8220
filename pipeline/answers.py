"""The answers of a deployed model, compared with what it got right when it was trained."""

from __future__ import annotations

from typing import Any

from ml.jobs import compatibility, data, predictions, registry
from ml.jobs.predictions import Accuracy
from ml.jobs.registry import Version
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.outputs import Serving, endpoint_option

SHADOW = "Shadow"  # the variant that gets copies of requests, and whose answers nobody sees
SMOKE_IMAGES = 8  # of as many classes


def smoke(env: Environment, target: Serving, *, has_labels: bool = True) -> dict[str, Any]:
    """Predict the classes of a few example images, and return the first answer, how many are correct, and a note.

    An asynchronous endpoint gets one image, as an answer may take minutes.

    has_labels: whether the model has the classes of the images.

    Raises OperatorError if the endpoint does not answer, or answers wrongly far more often than the model did when it was
    trained.
    """
    found = []
    for image, label in predictions.examples(env, SMOKE_IMAGES if target.function_name else 1):
        answer = (
            predictions.invoke(env, target, {"s3": str(image), "top_k": 1})
            if target.function_name
            else predictions.invoke_async(env, target, image)
        )["predictions"][0]
        found.append({**answer, "expected": label})
    correct = sum(answer["label"] == answer["expected"] for answer in found)
    if has_labels and (problem := shortfall(env, target, Accuracy(len(found), correct, []))):
        raise OperatorError(f"The smoke predictions are wrong: {problem}.")
    note = f"{correct} of {len(found)} correct" if has_labels else f"{len(found)} answered, of other data"
    return {**found[0], "images": len(found), "correct": correct if has_labels else None, "note": note}


def shortfall(env: Environment, target: Serving, measured: Accuracy) -> str:
    """Return by how much the answers fall short of the model's test accuracy, as a clause; empty if they do not.

    Of two variants, the less accurate counts. Empty too if the test accuracy is not known.
    """
    known = [(version.accuracy, version.number) for version in serving_versions(env, target)]
    expected = min(((accuracy, number) for accuracy, number in known if accuracy is not None), default=None)
    if expected is None or not measured.is_far_below(expected[0]):
        return ""
    return (
        f"{measured.correct} of {measured.images} images are correct ({measured.value:.1%}) through {target.endpoint_name}, "
        f"and the test accuracy of model version {expected[1]} is {expected[0]:.1%}"
    )


def check_labels(env: Environment, target: Serving) -> None:
    """Raise Refused if the endpoint serves a model of other data: the labels of the current data set are not its own."""
    manifest = data.current(env)
    for version in serving_versions(env, target):
        if different := compatibility.difference(version.lineage, manifest):
            flag = env.settings.flag
            option = endpoint_option(env.settings, target.endpoint_name)
            raise Refused(
                f"{target.endpoint_name} serves model version {version.number}, which does not fit the current data: "
                f"{different}. Deploy a model of the current data with ./inv deploy{flag}{option}, or predict an image of "
                f"yours with ./inv predict{flag}{option} --image FILE."
            )


def serving_versions(env: Environment, target: Serving) -> list[Version]:
    """Return the registered versions that answer requests, without that of a shadow variant."""
    packages = [package for variant, package in target.variants.items() if variant != SHADOW]
    found = (registry.of_package(env, package) for package in dict.fromkeys(packages))
    return [version for version in found if version is not None]
