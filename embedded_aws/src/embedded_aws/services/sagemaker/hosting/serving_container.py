"""The program of an inference container: serves a Ray Serve application at SageMaker's /ping and /invocations.

Run as a script, with the application's folders on PYTHONPATH, SM_RAYSERVE_APP=module:name and SAGEMAKER_BIND_TO_PORT. Of
the embedded AWS it imports only the replacement for Ray.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Adapter:
    """An ASGI application: forwards /invocations to POST /, and /ping to GET /healthz if that exists."""

    def __init__(self, application: Application):
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] != "http":
            raise ValueError(f"a SageMaker container supports only HTTP, not {scope['type']}")
        elif scope["path"] == "/ping":
            await _answer(send, await self._health(scope))
        elif scope["path"] == "/invocations" and scope["method"] == "POST":
            await self._application({**scope, "path": "/", "raw_path": b"/"}, receive, send)
        else:
            await _answer(send, 404)

    async def _health(self, scope: Scope) -> int:
        statuses: list[int] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        health = {**scope, "method": "GET", "path": "/healthz", "raw_path": b"/healthz", "query_string": b""}
        await self._application(health, receive, send)
        return 200 if statuses[0] == 404 else statuses[0]  # without /healthz, a loaded application is healthy


async def _answer(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def load(target: str) -> Application:
    """Load the ASGI application `module:name`, where name is the result of Ray Serve's bind()."""
    module, _, name = target.partition(":")
    application: Application = getattr(importlib.import_module(module), name).build()
    return application


def main() -> None:
    # In place of this folder, whose modules must not hide those of the application.
    sys.path[0] = str(Path(__file__).resolve().parent / "shims")
    gc.disable()  # collections during imports find nothing: a sixth of the time that torch and FastAPI take
    import uvicorn

    application = load(os.environ["SM_RAYSERVE_APP"])
    gc.enable()
    uvicorn.run(
        Adapter(application),
        host="127.0.0.1",
        port=int(os.environ["SAGEMAKER_BIND_TO_PORT"]),
        log_level="info",
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=60,
    )


if __name__ == "__main__":
    main()
