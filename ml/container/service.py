"""The HTTP service of the model: POST / classifies an image, GET /healthz responds once the model is loaded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from images import ImageError, ImageTooLargeError
from predict import Predictor, set_threads
from serving_interface import ATTRIBUTES_HEADER, CONTENT_TYPES, DEFAULT_TOP_K, MAX_BODY_BYTES


class RequestError(Exception):
    """A refused request: HTTP status and one sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def create_app(model_dir: Path) -> FastAPI:
    """Return the application that serves the artifact in model_dir. It loads the model when the server starts."""

    @asynccontextmanager
    async def load(app: FastAPI) -> AsyncIterator[None]:
        app.state.predictor = Predictor(model_dir)
        set_threads(app.state.predictor.architecture)
        yield

    app = FastAPI(title="image-classifier", lifespan=load, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/", classify, methods=["POST"])
    app.add_api_route("/healthz", health, methods=["GET"])
    app.add_exception_handler(RequestError, _refuse)  # type: ignore[arg-type]
    return app


async def health() -> dict[str, str]:
    """Return "ok". The server accepts requests only after it has loaded the model."""
    return {"status": "ok"}


async def classify(request: Request) -> dict[str, Any]:
    """Classify the image in the request body. Returns Predictor.predict's response."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in CONTENT_TYPES:
        raise RequestError(415, f"content type {content_type!r} is not one of {', '.join(CONTENT_TYPES)}")
    predictor: Predictor = request.app.state.predictor
    top_k, scores = _options(request.headers.get(ATTRIBUTES_HEADER, ""), len(predictor.classes))
    data = await _body(request)
    try:
        return await run_in_threadpool(predictor.predict, data, top_k, scores)
    except ImageTooLargeError as error:
        raise RequestError(413, str(error)) from error
    except ImageError as error:
        raise RequestError(400, str(error)) from error


async def _body(request: Request) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise RequestError(413, f"the body is larger than {MAX_BODY_BYTES:,} bytes")
    return bytes(data)


def _options(header: str, classes: int) -> tuple[int, bool]:
    """Parse `top_k=5,scores=true` to both values. Other attributes are ignored.

    classes: number of classes, the largest top_k.
    Raises RequestError for a value that is not allowed.
    """
    attributes = dict(part.strip().partition("=")[::2] for part in header.split(","))
    text = attributes.get("top_k", str(min(DEFAULT_TOP_K, classes)))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= classes):
        raise RequestError(400, f"top_k is {text!r}; it must be an integer from 1 to {classes}")
    scores = attributes.get("scores", "false").lower()
    if scores not in ("true", "false"):
        raise RequestError(400, f"scores is {scores!r}; it must be true or false")
    return int(text), scores == "true"


async def _refuse(_: Request, error: RequestError) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=error.status)
