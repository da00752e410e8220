"""The Lambda handler: classify the image of an event."""

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

# The clients are created when the function starts: provisioned concurrency does that before the first call. Two attempts,
# because a connection can break while the function is frozen. Together with the download they take less than 60 s.
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
    """Return `{"statusCode", "body"}`, with "headers" for an HTTP request.

    Every error of the caller, the image source and the endpoint becomes a response. An exception is a bug.
    """
    started, over_http = time.monotonic(), http_event.is_http(event)
    facts: dict[str, Any] = {"request_id": context.aws_request_id}
    try:
        response = _classify(http_event.read(event) if over_http else event, facts)
        level = "INFO"
    except FunctionError as error:
        response = failure(error)
        # The log has the cause, such as an AWS error with ARNs. The response does not.
        facts |= {"error": type(error).__name__, "message": str(error), "cause": repr(error.__cause__)}
        level = "ERROR" if error.status >= 500 else "WARNING"
    _log(
        level,
        status=response["statusCode"],
        milliseconds=round((time.monotonic() - started) * 1000, 1),
        **facts,
    )
    return http_event.to_http(response) if over_http else response


def _classify(event: Any, facts: dict[str, Any]) -> dict[str, Any]:
    request = parse(event)
    facts["source"] = request.source
    if request.source == "url":
        # Only the host: the path or query could contain a token.
        facts["host"] = _host(request.value)
    try:
        data, media_type = images.read(request)
    except (ClientError, BotoCoreError) as error:
        raise SourceFailed("the image could not be read from S3") from error
    facts |= {"bytes": len(data), "media_type": media_type}
    result = invoke(runtime, settings.endpoint_name, data, media_type, request.custom_attributes)
    response = success(result, settings.endpoint_name)
    facts["predictions"] = len(response["body"]["predictions"])
    return response


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "")[:255]
    except ValueError:
        return ""


def _log(level: str, **facts: Any) -> None:
    """Print one JSON object on one line. Never the image."""
    if LEVELS.index(level) >= LEVELS.index(settings.log_level):
        print(json.dumps({"level": level, "event": "classify", **facts}, default=str), flush=True)
