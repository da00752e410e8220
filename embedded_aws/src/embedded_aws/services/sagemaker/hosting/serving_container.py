"""The inference container's program: an application for Ray Serve behind SageMaker's /ping and /invocations.

Run as a bare script with the application's folders on PYTHONPATH, SM_RAYSERVE_APP=module:name and
SAGEMAKER_BIND_TO_PORT. It imports nothing of the embedded AWS but the stand-in for Ray.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

Scope = dict
Receive = Callable[[], Awaitable[dict]]
Send = Callable[[dict], Awaitable[None]]


class Adapter:
    """ASGI: /invocations is the application's POST /, /ping its GET /healthz if it has one."""

    def __init__(self, application: Callable[[Scope, Receive, Send], Awaitable[None]]):
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] != "http":
            raise ValueError(f"a SageMaker container is asked over HTTP only, not {scope['type']}")
        elif scope["path"] == "/ping":
            await _answer(send, await self._health(scope))
        elif scope["path"] == "/invocations" and scope["method"] == "POST":
            await self._application({**scope, "path": "/", "raw_path": b"/"}, receive, send)
        else:
            await _answer(send, 404)

    async def _health(self, scope: Scope) -> int:
        statuses: list[int] = []

        async def receive() -> dict:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        health = {**scope, "method": "GET", "path": "/healthz", "raw_path": b"/healthz", "query_string": b""}
        await self._application(health, receive, send)
        return 200 if statuses[0] == 404 else statuses[0]  # loaded is healthy, for an application without one


async def _answer(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def load(target: str) -> Callable:
    """The ASGI application of `module:name`, where name is what Ray Serve's bind() returned."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name).build()


def main() -> None:
    sys.path[0] = str(
        Path(__file__).resolve().parent / "shims"
    )  # not this folder: its names are not the model's
    import uvicorn

    uvicorn.run(
        Adapter(load(os.environ["SM_RAYSERVE_APP"])),
        host="127.0.0.1",
        port=int(os.environ["SAGEMAKER_BIND_TO_PORT"]),
        log_level="info",
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=60,
    )


if __name__ == "__main__":
    main()
