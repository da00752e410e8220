"""A headless Chromium, driven through its DevTools protocol: loads a page and measures it at any width."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60


def find() -> str | None:
    """Return the browser on PATH."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One tab of a running browser.

    events: what the browser has reported since the last page was loaded: requests, console messages, errors.
    """

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=_SECONDS, suppress_origin=True)
        self._last = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the result of a command of the DevTools protocol."""
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._last:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def wait_for(self, event: str) -> None:
        """Wait until the browser has reported an event."""
        while not any(found.get("method") == event for found in self.events):
            self.events.append(json.loads(self._socket.recv()))

    def load(self, page: Path, width: int, *, scheme: str = "light", media: str = "screen") -> None:
        """Load a file. width: of the window in CSS pixels; below 500 as on a phone."""
        self.events.clear()
        phone = width < 500
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=844 if phone else 900,
            deviceScaleFactor=1,
            mobile=phone,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        self.call("Page.navigate", url=page.as_uri())
        self.wait_for("Page.loadEventFired")

    def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write what the tab shows as PNG. whole: the whole page instead of the window."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    @property
    def requests(self) -> list[str]:
        """The addresses that the page has asked for, but for the page itself and data inside it."""
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in urls[1:] if not url.startswith("data:")]

    @property
    def complaints(self) -> list[dict[str, Any]]:
        """Console messages, and errors of the page."""
        kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.events if event.get("method") in kinds]

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@contextlib.contextmanager
def started(program: str, profile: Path) -> Iterator[Browser]:
    """Run a browser without a window. profile: folder for its files."""
    command = [
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--hide-scrollbars",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
    ]
    variables = {**os.environ, "HOME": str(profile)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=variables)
    try:
        browser = Browser(_tab(process))
        yield browser
        browser.close()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _tab(process: subprocess.Popen[bytes]) -> str:
    """Return the address of the browser's tab."""
    import http.client

    assert process.stderr is not None
    deadline = time.monotonic() + _SECONDS
    for raw in process.stderr:
        line = raw.decode(errors="replace")
        if "DevTools listening on" in line:
            port = int(line.split("127.0.0.1:")[1].split("/")[0])
            break
        assert time.monotonic() < deadline, "the browser does not start"
    else:
        raise AssertionError(f"the browser ended with {process.wait()}")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    connection.request("GET", "/json/list")
    tabs = json.loads(connection.getresponse().read())
    connection.close()
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
