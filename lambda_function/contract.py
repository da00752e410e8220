"""What a caller may ask and what it is told: event to request, outcome to response, error to status."""

from dataclasses import dataclass
from typing import Any

SOURCES = ("url", "image", "s3")
MAX_TOP_K = 1000
_FIELDS = {*SOURCES, "top_k", "scores"}


class FunctionError(Exception):
    """What the caller is told: an HTTP-like status and a sentence that names nothing inside the account."""

    status = 400

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status or self.status


class BadRequest(FunctionError):
    """The event or its image source is malformed."""


class SourceForbidden(FunctionError):
    """The image source is one that this function does not read."""

    status = 403


class SourceNotFound(FunctionError):
    """There is no image under the given key."""

    status = 404


class MethodNotAllowed(FunctionError):
    """The HTTP request is no POST."""

    status = 405


class ImageTooLarge(FunctionError):
    """The image has more bytes than MAX_IMAGE_BYTES."""

    status = 413


class UnsupportedImage(FunctionError):
    """The bytes are no JPEG, PNG or WebP picture, or not the kind they are declared to be."""

    status = 415


class SourceFailed(FunctionError):
    """The image's server did not give it."""

    status = 424


class Throttled(FunctionError):
    """The endpoint, or S3, has too many requests; try again later."""

    status = 429


class ModelRefused(FunctionError):
    """The model found the request wrong; the status is the model's own 4xx."""


class EndpointFailed(FunctionError):
    """The endpoint does not work."""

    status = 502


class EndpointTimeout(FunctionError):
    """The endpoint did not answer in time."""

    status = 504


@dataclass(frozen=True)
class Request:
    """One image to classify. source: url, image or s3; value: its text; top_k: None leaves it to the model."""

    source: str
    value: str
    top_k: int | None = None
    scores: bool = False

    @property
    def custom_attributes(self) -> str:
        """The options as the serving container reads them; empty when there are none."""
        options = [f"top_k={self.top_k}"] if self.top_k is not None else []
        return ",".join(options + ["scores=true"] * self.scores)


def parse(event: Any) -> Request:
    """Read `{"url" | "image" | "s3": text, "top_k": int, "scores": bool}`. Raises BadRequest, naming the field."""
    if not isinstance(event, dict):
        raise BadRequest(f"the event is a JSON {type(event).__name__}; it must be an object")
    if unknown := sorted(map(str, event.keys() - _FIELDS)):
        raise BadRequest(f"unknown field {unknown[0][:40]!r}; known are {', '.join(sorted(_FIELDS))}")
    given = [name for name in SOURCES if name in event]
    if len(given) != 1:
        raise BadRequest(f"give exactly one of url, image and s3; {len(given)} were given")
    value = event[given[0]]
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{given[0]} must be a text that is not empty")
    top_k = event.get("top_k")
    if top_k is not None and (type(top_k) is not int or not 1 <= top_k <= MAX_TOP_K):
        raise BadRequest(f"top_k must be an integer from 1 to {MAX_TOP_K}")
    scores = event.get("scores", False)
    if type(scores) is not bool:
        raise BadRequest("scores must be true or false")
    return Request(given[0], value, top_k, scores)


def success(answer: Any, endpoint: str) -> dict[str, Any]:
    """The model's answer as a response. Raises EndpointFailed when it has no predictions."""
    if not isinstance(answer, dict) or not isinstance(answer.get("predictions"), list):
        raise EndpointFailed("the model's answer has no predictions")
    body = {"predictions": answer["predictions"], "endpoint": endpoint, "model": answer.get("model")}
    if "scores" in answer:
        body["scores"] = answer["scores"]
    return {"statusCode": 200, "body": body}


def failure(error: FunctionError) -> dict[str, Any]:
    """An error as a response."""
    return {
        "statusCode": error.status,
        "body": {"error": {"type": type(error).__name__, "message": str(error)}},
    }
