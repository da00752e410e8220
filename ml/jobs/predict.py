"""Predictions through the Lambda function, as a caller would ask for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ml.jobs import data
from ml.jobs.handover import Foundation, Serving
from ops.aws import client
from ops.errors import OperatorError
from ops.settings import Settings

# A synchronous Lambda payload is 6 MB at most; base64 adds a third.
MAX_IMAGE_BYTES = 4_500_000


@dataclass(frozen=True)
class Accuracy:
    """How the live model does on a split. wrong: (key, label, predicted)."""

    pictures: int
    correct: int
    wrong: list[tuple[str, str, str]]

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self.correct / self.pictures


def event(image: str | None, url: str | None, s3: str | None, top_k: int | None) -> dict:
    """The function's event for exactly one of a file, a URL and an S3 URI. Raises OperatorError."""
    given = [name for name, value in (("--image", image), ("--url", url), ("--s3", s3)) if value]
    if len(given) != 1:
        raise OperatorError(
            f"Give exactly one of --image, --url and --s3, not {' and '.join(given) or 'none'}."
        )
    request = {"top_k": top_k} if top_k else {}
    if image:
        return {"image": _encoded(Path(image)), **request}
    return {"url": url, **request} if url else {"s3": s3, **request}


def invoke(settings: Settings, target: Serving, request: dict) -> dict:
    """Invoke the function's alias. Returns the response's body. Raises OperatorError with the function's words."""
    answer = client("lambda", settings.region).invoke(
        FunctionName=target.function_name,
        Qualifier=target.function_alias,
        Payload=json.dumps(request).encode(),
    )
    payload = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        raise OperatorError(
            f"The function {target.function_name} failed: {payload.get('errorType')}: {payload.get('errorMessage')}; "
            f"its log is in /aws/lambda/{target.function_name}."
        )
    if payload["statusCode"] != 200:
        error = payload["body"]["error"]
        raise OperatorError(
            f"The function answered {payload['statusCode']} {error['type']}: {error['message']}"
        )
    return payload["body"]


def example(settings: Settings, foundation: Foundation, split: str = "test") -> tuple[str, str]:
    """A picture of a split: its S3 URI and its label."""
    manifest = data.current(foundation.bucket, client("s3", settings.region), settings.environment)
    key = min(key for key in manifest.files if key.startswith(f"{split}/"))
    return f"s3://{foundation.bucket}/{data.PREFIX}/{manifest.dataset}/{key}", key.split("/")[1]


def accuracy(
    settings: Settings, foundation: Foundation, target: Serving, *, split: str = "test", limit: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Accuracy:  # fmt: skip
    """Send the pictures of a split through the function, as many at a time as it has warm environments."""
    manifest = data.current(foundation.bucket, client("s3", settings.region), settings.environment)
    keys = sorted(key for key in manifest.files if key.startswith(f"{split}/"))
    if limit is not None and limit < 1:
        raise OperatorError(f"--limit {limit}: give 1 or more.")
    if limit:
        keys = keys[:: max(1, len(keys) // limit)][:limit]
    if not keys:
        raise OperatorError(
            f"The data set {manifest.dataset} has no split {split!r}: choose train, valid or test."
        )
    prefix = f"s3://{foundation.bucket}/{data.PREFIX}/{manifest.dataset}"

    def top(key: str) -> str:
        body = invoke(settings, target, {"s3": f"{prefix}/{key}", "top_k": 1})
        return body["predictions"][0]["label"]

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
        raise OperatorError(f"The picture {image} could not be read: {error.strerror}.") from error
    if len(content) > MAX_IMAGE_BYTES:
        raise OperatorError(
            f"{image} has {len(content):,} bytes, and a request takes {MAX_IMAGE_BYTES:,}: put it into the bucket and use --s3."
        )
    return base64.b64encode(content).decode()
