"""The embedded AWS that `./inv faults` breaks, on a free port and with a home folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

from embedded_aws import client
from ops.errors import OperatorError

ANY_PORT = 0  # the system chooses a free one
_KILL_SECONDS = 10.0


class FaultAccount:
    """An embedded AWS. home: its folder. region: of its variables."""

    def __init__(self, home: Path, region: str) -> None:
        self.home, self._region = home, region

    def start(self) -> str:
        """Start it, unless it is running. Return its URL."""
        port = None if client.status(self.home).running else ANY_PORT
        return client.start(self.home, port).endpoint_url

    def stop(self) -> None:
        """Stop it; the state stays in its home folder."""
        client.stop(self.home)

    def kill(self) -> None:
        """Kill its server with SIGKILL. Its guardian ends the other processes."""
        found = client.status(self.home)
        if found.pid is None:
            return
        os.kill(found.pid, signal.SIGKILL)
        deadline = time.monotonic() + _KILL_SECONDS
        while client.status(self.home).running:
            if time.monotonic() > deadline:
                raise OperatorError(
                    f"Process {found.pid}, the embedded AWS of {self.home}, cannot be killed."
                )
            time.sleep(0.02)

    def destroy(self) -> None:
        """Stop it and remove its home folder, which another thread may be writing when a campaign is interrupted."""
        client.stop(self.home)
        shutil.rmtree(self.home, ignore_errors=True)

    def variables(self) -> dict[str, str]:
        """Return the AWS_* variables of its root user."""
        return client.variables(self.home, self._region)

    def set_quota(self, service: str, name: str, value: float) -> None:
        """Set a service quota by its name."""
        file = self.home / "quotas.json"
        quotas = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        quotas.setdefault(service, {})[name] = value
        file.write_text(json.dumps(quotas), encoding="utf-8")
