"""Predictions through the Lambda function, as a caller would ask for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from ml.jobs import data
from ml.jobs.follow import pauses
from ops.aws import client, error_code
from ops.errors import OperatorError
from ops.outputs import Foundation, Serving
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
    if target.function_name is None:
        raise OperatorError(
            f"{target.endpoint_name} answers asynchronously and has no function: put the picture under "
            f"{_asynchronous_prefix(settings)}{target.endpoint_name}/input/ in the environment's bucket and use "
            "aws sagemaker-runtime invoke-endpoint-async."
        )
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


def invoke_asynchronously(
    settings: Settings, foundation: Foundation, target: Serving, uri: str, top_k: int = 1
) -> dict:
    """Leave a picture of the bucket for an asynchronous endpoint, and wait for its answer. Raises OperatorError."""
    s3, source = client("s3", settings.region), uri.removeprefix(f"s3://{foundation.bucket}/")
    key = f"{_asynchronous_prefix(settings)}{target.endpoint_name}/input/{source.rpartition('/')[2]}"
    s3.copy_object(
        Bucket=foundation.bucket,
        Key=key,
        CopySource={"Bucket": foundation.bucket, "Key": source},
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=foundation.kms_key_arn,
    )
    asked = client("sagemaker-runtime", settings.region).invoke_endpoint_async(
        EndpointName=target.endpoint_name,
        InputLocation=f"s3://{foundation.bucket}/{key}",
        ContentType="application/x-image",
        Accept="application/json",
        CustomAttributes=f"top_k={top_k}",
    )
    for _ in pauses():
        if (answer := _object(settings, asked["OutputLocation"])) is not None:
            return json.loads(answer)
        if (failure := _object(settings, asked["FailureLocation"])) is not None:
            raise OperatorError(f"The endpoint {target.endpoint_name} failed: {failure.decode()}")
    raise AssertionError("pauses() never ends")


def example(settings: Settings, foundation: Foundation, split: str = "test") -> tuple[str, str]:
    """A picture of a split: its S3 URI and its label."""
    manifest = data.current(foundation.bucket, client("s3", settings.region), settings.environment)
    key = min(key for key in manifest.files if key.startswith(f"{split}/"))
    return f"s3://{foundation.bucket}/{data.PREFIX}/{manifest.dataset}/{key}", key.split("/")[1]


def accuracy(
    settings: Settings,
    foundation: Foundation,
    target: Serving,
    *,
    split: str = "test",
    limit: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Accuracy:
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


def _asynchronous_prefix(settings: Settings) -> str:
    return settings.serving.asynchronous.prefix if settings.serving.asynchronous else "async/"


def _object(settings: Settings, uri: str) -> bytes | None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        return client("s3", settings.region).get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error_code(error) != "NoSuchKey":
            raise
        return None
