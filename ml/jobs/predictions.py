"""Predictions of the deployed model, through the Lambda function as its callers get them."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ml.jobs import data
from ml.jobs.data import Manifest
from ops import s3
from ops.documents import decode
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.outputs import Serving
from ops.text import clause, sentence
from ops.waiting import wait_for

MAX_IMAGE_BYTES = 4_500_000  # a synchronous Lambda payload has 6 MB at most, and base64 adds a third
ASYNC_ANSWER_SECONDS = 900  # SageMaker answers an asynchronous request within 15 minutes, or never
CHANCE = 0.001  # a result less probable than this is no accident
MARGIN = 0.02  # of a measured accuracy, near 0 and 1


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of the deployed model on a split. wrong: (key, label, predicted) of each wrong prediction."""

    images: int
    correct: int
    wrong: list[tuple[str, str, str]]

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self.correct / self.images

    def is_far_below(self, expected: float) -> bool:
        """Return whether so few correct answers are no accident for a model of this accuracy, 0 to 1.

        That is, whether fewer than one in a thousand samples of this size would have so few.
        """
        # A measured accuracy of 1 or 0 excludes neither a wrong nor a right answer.
        accuracy = min(max(expected, MARGIN), 1 - MARGIN)
        return _at_most(self.correct, self.images, accuracy) < CHANCE


def _at_most(successes: int, trials: int, probability: float) -> float:
    """Return the probability of at most so many successes in independent trials."""
    each, other = math.log(probability), math.log1p(-probability)
    return math.fsum(
        math.exp(
            math.lgamma(trials + 1)
            - math.lgamma(count + 1)
            - math.lgamma(trials - count + 1)
            + count * each
            + (trials - count) * other
        )
        for count in range(successes + 1)
    )


def event(image: str | None, url: str | None, s3_uri: str | None, top_k: int | None) -> dict[str, Any]:
    """Return the function's event for exactly one of a file, a URL and an S3 URI. Raises OperatorError."""
    given = [name for name, value in (("--image", image), ("--url", url), ("--s3", s3_uri)) if value]
    if len(given) != 1:
        raise Refused(f"Give exactly one of --image, --url and --s3, not {' and '.join(given) or 'none'}.")
    request = {"top_k": top_k} if top_k else {}
    if image:
        return {"image": _encoded(Path(image)), **request}
    return {"url": url, **request} if url else {"s3": s3_uri, **request}


def invoke(env: Environment, target: Serving, request: dict[str, Any]) -> dict[str, Any]:
    """Invoke the function's alias and return the body of its response. Raises OperatorError with the function's error."""
    if target.function_name is None:
        raise Refused(
            f"{target.endpoint_name} is asynchronous and has no function: put the image under "
            f"{_async_input(env, target)} and call aws sagemaker-runtime invoke-endpoint-async."
        )
    answer = env.client("lambda").invoke(
        FunctionName=target.function_name,
        Qualifier=target.function_alias,
        Payload=json.dumps(request).encode(),
    )
    what = f"The answer of the function {target.function_name}"
    redeploy = (
        f"its log is in /aws/lambda/{target.function_name}; run ./inv deploy{env.settings.flag} to replace it"
    )
    content = answer["Payload"].read() or b"null"
    if answer.get("FunctionError"):
        crash = decode(_Crash, content, what=what, remedy=redeploy)
        raise OperatorError(
            f"The function {target.function_name} failed: {clause(f'{crash.errorType}: {crash.errorMessage}')}. Its log "
            f"is in /aws/lambda/{target.function_name}."
        )
    response = decode(_Response, content, what=what, remedy=redeploy)
    if isinstance(response.body, _Refusal):
        error = response.body.error
        reason = sentence(f"{error.type}: {error.message}")
        raise OperatorError(f"The function {target.function_name} answered {response.statusCode} {reason}")
    return response.body.model_dump()


class _Crash(BaseModel):
    """What Lambda returns for a function that raised an exception or ended."""

    errorType: str | None = None
    errorMessage: str | None = None


class _Error(BaseModel):
    """Why the function refused an event."""

    type: str
    message: str


class _Refusal(BaseModel):
    """The body of a response with another status than 200."""

    error: _Error


class Prediction(BaseModel):
    """A class and its probability, 0 to 1."""

    model_config = ConfigDict(extra="allow")

    label: str
    probability: float


class _Answer(BaseModel):
    """What the endpoint returns, as ml/container writes it; the likeliest class first."""

    model_config = ConfigDict(extra="allow")

    predictions: list[Prediction] = Field(min_length=1)


class _Response(BaseModel):
    """What the function returns."""

    statusCode: int
    body: _Answer | _Refusal


def invoke_async(env: Environment, target: Serving, image: s3.S3Uri, top_k: int = 1) -> dict[str, Any]:
    """Copy an image to an asynchronous endpoint's input prefix, invoke the endpoint, wait for its answer.

    Raises OperatorError if the endpoint fails, or does not answer within `ASYNC_ANSWER_SECONDS`.
    """
    source = _async_input(env, target) / image.key.rpartition("/")[2]
    env.client("s3").copy_object(
        Bucket=source.bucket,
        Key=source.key,
        CopySource={"Bucket": image.bucket, "Key": image.key},
        **s3.encryption(env),
    )
    request = env.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=target.endpoint_name,
        InputLocation=str(source),
        ContentType="application/x-image",
        Accept="application/json",
        CustomAttributes=f"top_k={top_k}",
    )
    output, failure = (s3.S3Uri.parse(request[name]) for name in ("OutputLocation", "FailureLocation"))

    redeploy = f"run ./inv deploy{env.settings.flag} to replace its model"

    def answer() -> dict[str, Any] | None:
        if (content := s3.get(env, output)) is not None:
            return decode(
                _Answer, content, what=f"The answer {output} of the endpoint", remedy=redeploy
            ).model_dump()
        if (message := s3.get(env, failure)) is not None:
            raise OperatorError(
                f"The endpoint {target.endpoint_name} failed: {sentence(message.decode(errors='replace'))}"
            )
        return None

    return wait_for(
        answer,
        seconds=ASYNC_ANSWER_SECONDS,
        on_timeout=lambda: (
            f"The endpoint {target.endpoint_name} has not answered within {ASYNC_ANSWER_SECONDS // 60} minutes: there is "
            f"neither {output} nor {failure}. Its containers' logs are in "
            f"/aws/sagemaker/Endpoints/{target.endpoint_name}."
        ),
    )


def example(env: Environment, split: str = "test") -> tuple[s3.S3Uri, str]:
    """Return the URI of an image of a split, and its label."""
    return examples(env, 1, split)[0]


def examples(env: Environment, most: int, split: str = "test") -> list[tuple[s3.S3Uri, str]]:
    """Return the URI and the label of one image of each class of a split, of at most so many classes."""
    manifest = data.current(env)
    first: dict[str, str] = {}
    for key in _keys(env, manifest, split):
        first.setdefault(key.split("/")[1], key)
    folder = s3.in_data_bucket(env, f"{data.PREFIX}/{manifest.dataset}/")
    return [(folder / key, label) for label, key in list(first.items())[:most]]


def _keys(env: Environment, manifest: Manifest, split: str) -> list[str]:
    """Return the keys of a split's images, sorted. Raises Refused if there is none."""
    keys = sorted(key for key in manifest.files if key.startswith(f"{split}/"))
    if not keys:
        known = ", ".join(name for name, counts in manifest.counts.items() if any(counts.values()))
        raise Refused(
            f"The data set {manifest.dataset} has no images in a split {split!r}: choose one of {known}."
        )
    return keys


def accuracy(
    env: Environment,
    target: Serving,
    *,
    split: str = "test",
    limit: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Accuracy:
    """Send the images of a split through the function, as many at a time as it has provisioned concurrency.

    limit: at most so many, spread over the split.
    """
    manifest = data.current(env)
    if limit is not None and limit < 1:
        raise Refused(f"--limit {limit}: give 1 or more.")
    keys = _keys(env, manifest, split)
    if limit:
        keys = keys[:: max(1, len(keys) // limit)][:limit]
    folder = s3.in_data_bucket(env, f"{data.PREFIX}/{manifest.dataset}/")

    def top(key: str) -> str:
        label: str = invoke(env, target, {"s3": str(folder / key), "top_k": 1})["predictions"][0]["label"]
        return label

    wrong = []
    with ThreadPoolExecutor(max(1, target.provisioned_concurrency)) as pool:
        for done, (key, predicted) in enumerate(zip(keys, pool.map(top, keys), strict=True), 1):
            on_progress(done, len(keys))
            if predicted != (label := key.split("/")[1]):
                wrong.append((key, label, predicted))
    return Accuracy(len(keys), len(keys) - len(wrong), wrong)


def _encoded(image: Path) -> str:
    try:
        content = image.read_bytes()
    except OSError as error:
        raise OperatorError(f"The image {image} could not be read: {error.strerror}.") from error
    if len(content) > MAX_IMAGE_BYTES:
        raise OperatorError(
            f"{image} has {len(content):,} bytes, and a request takes {MAX_IMAGE_BYTES:,}: reduce it, for "
            "example to half its width and height."
        )
    return base64.b64encode(content).decode()


def _async_input(env: Environment, target: Serving) -> s3.S3Uri:
    """Return the prefix of an asynchronous endpoint's inputs."""
    asynchronous = env.settings.serving.asynchronous
    prefix = asynchronous.prefix if asynchronous else "async/"
    return s3.in_data_bucket(env, f"{prefix}{target.endpoint_name}/input/")
