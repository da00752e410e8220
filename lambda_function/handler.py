"""The function's entry: an event with an image in, the classes it may be out."""

import json
import os
import time
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import http_event
from configuration import LEVELS, Settings
from contract import FunctionError, SourceFailed, failure, parse, success
from endpoint import invoke
from https_fetch import Fetcher
from image_source import ImageSource

# Made when the function starts, which provisioned concurrency does ahead of the first call. Two attempts, as a
# connection may have died while the function was frozen; with the fetch they stay under a function's 60 s.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=20,
    retries={"total_max_attempts": 2, "mode": "standard"},
    tcp_keepalive=True,
)

settings = Settings.read(os.environ)
runtime = boto3.client("sagemaker-runtime", config=_CONFIG)
images = ImageSource(
    settings.max_image_bytes,
    Fetcher(settings.allowed_url_hosts),
    boto3.client("s3", config=_CONFIG) if settings.image_bucket else None,
    settings.image_bucket,
    settings.image_prefix,
)


def handler(event: Any, context: Any) -> dict[str, Any]:
    """`{"statusCode", "body"}` for every event, for an HTTP request with headers; an exception out of here is a bug of
    this program."""
    started, over_http = time.monotonic(), http_event.is_http(event)
    facts: dict[str, Any] = {"request_id": context.aws_request_id}
    try:
        response = _classify(http_event.read(event) if over_http else event, facts)
        level = "INFO"
    except FunctionError as error:
        response = failure(error)
        # What the caller is not told: the cause, such as the AWS error code with its ARNs.
        facts |= {"error": type(error).__name__, "message": str(error), "cause": repr(error.__cause__)}
        level = "ERROR" if error.status >= 500 else "WARNING"
    _log(
        level,
        status=response["statusCode"],
        milliseconds=round((time.monotonic() - started) * 1000, 1),
        **facts,
    )
    return http_event.answer(response) if over_http else response


def _classify(event: Any, facts: dict[str, Any]) -> dict[str, Any]:
    request = parse(event)
    facts["source"] = request.source
    if request.source == "url":
        # The host alone: a path or query may hold somebody's token.
        facts["host"] = _host(request.value)
    try:
        data, media_type = images.read(request)
    except (ClientError, BotoCoreError) as error:
        raise SourceFailed("the image could not be read from S3") from error
    facts |= {"bytes": len(data), "media_type": media_type}
    answer = invoke(runtime, settings.endpoint_name, data, media_type, request.custom_attributes)
    response = success(answer, settings.endpoint_name)
    facts["predictions"] = len(response["body"]["predictions"])
    return response


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "")[:255]
    except ValueError:
        return ""


def _log(level: str, **facts: Any) -> None:
    """One JSON object on a line of standard output, never the image."""
    if LEVELS.index(level) >= LEVELS.index(settings.log_level):
        print(json.dumps({"level": level, "event": "classify", **facts}, default=str), flush=True)
