"""The function's interface: event to request, result to response, error to status."""

from dataclasses import dataclass
from typing import Any

SOURCES = ("url", "image", "s3")
MAX_TOP_K = 1000
_FIELDS = {*SOURCES, "top_k", "scores"}


class FunctionError(Exception):
    """An error for the caller: an HTTP status and a sentence that reveals nothing about the account."""

    status = 400

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status or self.status


class BadRequest(FunctionError):
    """The event or its image source is invalid."""


class SourceForbidden(FunctionError):
    """The function may not read this image source."""

    status = 403


class SourceNotFound(FunctionError):
    """The S3 object does not exist."""

    status = 404


class MethodNotAllowed(FunctionError):
    """The HTTP method is not POST."""

    status = 405


class ImageTooLarge(FunctionError):
    """The image is larger than MAX_IMAGE_BYTES."""

    status = 413


class UnsupportedImage(FunctionError):
    """The bytes are of no image format that the model understands, or do not match their content type."""

    status = 415


class SourceFailed(FunctionError):
    """The image's server, or S3, did not deliver the image."""

    status = 424


class Throttled(FunctionError):
    """The endpoint, or S3, has too many requests. The caller can retry."""

    status = 429


class ModelRefused(FunctionError):
    """The model refused the request. The status is the model's 4xx."""


class EndpointFailed(FunctionError):
    """The endpoint failed."""

    status = 502


class EndpointTimeout(FunctionError):
    """The endpoint did not respond in time."""

    status = 504


@dataclass(frozen=True, slots=True)
class Request:
    """One image to classify.

    source: url, image (base64) or s3.
    value: the source's text.
    top_k: number of classes to return; None for the model's default.
    scores: whether to return the score of every class.
    """

    source: str
    value: str
    top_k: int | None = None
    scores: bool = False

    @property
    def custom_attributes(self) -> str:
        """The options in the serving container's format; empty without options."""
        options = [f"top_k={self.top_k}"] if self.top_k is not None else []
        return ",".join(options + ["scores=true"] * self.scores)


def parse(event: Any) -> Request:
    """Parse `{"url" | "image" | "s3": text, "top_k": int, "scores": bool}`. Raises BadRequest with the field's name."""
    if not isinstance(event, dict):
        raise BadRequest(f"the event is a JSON {type(event).__name__}; it must be an object")
    if unknown := sorted(map(str, event.keys() - _FIELDS)):
        raise BadRequest(f"unknown field {unknown[0][:40]!r}; use {', '.join(sorted(_FIELDS))}")
    sources = [name for name in SOURCES if name in event]
    if len(sources) != 1:
        raise BadRequest(f"give exactly one of url, image and s3; the event has {len(sources)}")
    value = event[sources[0]]
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{sources[0]} must be a non-empty string")
    top_k = event.get("top_k")
    if top_k is not None and (type(top_k) is not int or not 1 <= top_k <= MAX_TOP_K):
        raise BadRequest(f"top_k must be an integer from 1 to {MAX_TOP_K}")
    scores = event.get("scores", False)
    if type(scores) is not bool:
        raise BadRequest("scores must be true or false")
    return Request(sources[0], value, top_k, scores)


def success(result: Any, endpoint: str) -> dict[str, Any]:
    """Return the response for the model's result. Raises EndpointFailed when it has no predictions."""
    if not isinstance(result, dict) or not isinstance(result.get("predictions"), list):
        raise EndpointFailed("the model's result has no predictions")
    body = {"predictions": result["predictions"], "endpoint": endpoint, "model": result.get("model")}
    if "scores" in result:
        body["scores"] = result["scores"]
    return {"statusCode": 200, "body": body}


def failure(error: FunctionError) -> dict[str, Any]:
    """Return the response for an error."""
    return {
        "statusCode": error.status,
        "body": {"error": {"type": type(error).__name__, "message": str(error)}},
    }
