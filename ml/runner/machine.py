"""The machine that trains: an EC2 instance, or this machine."""

from __future__ import annotations

import json
import os
import platform
import socket
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from typing import Protocol


class Machine(Protocol):
    """What the runner needs to know about a machine.

    id: EC2 instance ID, or host name.
    type: EC2 instance type, or number and kind of processors.
    spot: whether EC2 can reclaim it.
    """

    id: str
    type: str
    spot: bool

    def billable_seconds(self) -> float:
        """Return the seconds that the job is charged for so far."""
        ...

    def interruption_time(self) -> str:
        """Return when EC2 will reclaim the machine (ISO 8601), or an empty string."""
        ...


class LocalMachine:
    """This machine. Its seconds count from the start of the runner."""

    spot = False

    def __init__(self) -> None:
        self.id = socket.gethostname()
        self.type = f"{os.cpu_count()} x {platform.machine()}"
        self._started = time.monotonic()

    def billable_seconds(self) -> float:
        """Return the seconds since the runner started."""
        return time.monotonic() - self._started

    def interruption_time(self) -> str:
        """Return an empty string: nobody reclaims this machine."""
        return ""


class EC2Instance:
    """An EC2 instance, described by its instance metadata service (version 2)."""

    ENDPOINT = "http://169.254.169.254"
    TOKEN_SECONDS = 21_600

    def __init__(self) -> None:
        self._endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", self.ENDPOINT).rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._token, self._token_expires = "", 0.0
        identity = json.loads(self._get("dynamic/instance-identity/document"))
        self.id: str = identity["instanceId"]
        self.type: str = identity["instanceType"]
        self.spot = self._get("meta-data/instance-life-cycle") == "spot"
        launched = datetime.strptime(identity["pendingTime"], "%Y-%m-%dT%H:%M:%SZ")
        self._launched = launched.replace(tzinfo=timezone.utc).timestamp()

    def billable_seconds(self) -> float:
        """Return the seconds since the launch of the instance."""
        return time.time() - self._launched

    def interruption_time(self) -> str:
        """Return when EC2 will reclaim the Spot Instance (ISO 8601), known two minutes before, or an empty string.

        Raises OSError when the metadata service does not respond.
        """
        if not self.spot:
            return ""
        try:
            action = json.loads(self._get("meta-data/spot/instance-action"))
        except urllib.error.HTTPError as error:
            if error.code == 404:  # no interruption is scheduled
                return ""
            raise
        return str(action["time"])

    def _get(self, path: str) -> str:
        return self._request(path, "GET", {"X-aws-ec2-metadata-token": self._session_token()})

    def _session_token(self) -> str:
        if time.monotonic() >= self._token_expires:
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(self.TOKEN_SECONDS)}
            self._token = self._request("api/token", "PUT", lifetime)
            self._token_expires = time.monotonic() + self.TOKEN_SECONDS / 2
        return self._token

    def _request(self, path: str, method: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(f"{self._endpoint}/latest/{path}", method=method, headers=headers)
        with self._opener.open(request, timeout=5) as response:
            body: bytes = response.read()
        return body.decode()
