"""The machine that trains: an EC2 instance, as its metadata service tells, or the computer one sits at."""

from __future__ import annotations

import json
import os
import platform
import socket
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone


class Computer:
    """Nobody bills for it, and nobody takes it away."""

    spot = False

    def __init__(self) -> None:
        self.id = socket.gethostname()
        self.type = f"{os.cpu_count()} x {platform.machine()}"
        self._began = time.monotonic()

    def seconds(self) -> float:
        """For which it has worked on the job."""
        return time.monotonic() - self._began

    def notice(self) -> str:
        """When it will be taken away (ISO 8601); empty if nothing is known of that."""
        return ""


class Instance:
    """An EC2 instance by its metadata service, version 2."""

    ADDRESS = "http://169.254.169.254"
    TOKEN_SECONDS = 21_600

    def __init__(self) -> None:
        self._address = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", self.ADDRESS).rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._token, self._renew = "", 0.0
        identity = json.loads(self._get("dynamic/instance-identity/document"))
        self.id: str = identity["instanceId"]
        self.type: str = identity["instanceType"]
        self.spot = self._get("meta-data/instance-life-cycle") == "spot"
        launched = datetime.strptime(identity["pendingTime"], "%Y-%m-%dT%H:%M:%SZ")
        self._launched = launched.replace(tzinfo=timezone.utc).timestamp()

    def seconds(self) -> float:
        """Since its launch, from which it bills."""
        return time.time() - self._launched

    def notice(self) -> str:
        """When EC2 will reclaim a Spot Instance (ISO 8601), told two minutes before; empty if it does not mean to."""
        if not self.spot:
            return ""
        try:
            return json.loads(self._get("meta-data/spot/instance-action"))["time"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return ""
            raise

    def _get(self, path: str) -> str:
        headers = {"X-aws-ec2-metadata-token": self._session()}
        request = urllib.request.Request(f"{self._address}/latest/{path}", headers=headers)
        with self._opener.open(request, timeout=5) as answer:
            return answer.read().decode()

    def _session(self) -> str:
        if time.monotonic() >= self._renew:
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(self.TOKEN_SECONDS)}
            request = urllib.request.Request(
                f"{self._address}/latest/api/token", method="PUT", headers=lifetime
            )
            with self._opener.open(request, timeout=5) as answer:
                self._token = answer.read().decode()
            self._renew = time.monotonic() + self.TOKEN_SECONDS / 2
        return self._token
