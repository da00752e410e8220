"""Log shipper, without a server."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.processes import log_shipper
from embedded_aws.processes.log_shipper import LogShipper, Stream


@pytest.mark.parametrize("error", [RoleNotAssumable("gone"), KeyError("unforeseen")])
def test_a_stream_that_fails_does_not_block_others(monkeypatch, until, error):
    monkeypatch.setattr(log_shipper, "BATCH_SECONDS", 0.01)
    sent: list[str] = []
    client = SimpleNamespace(
        put_log_events=lambda logEvents, **_: sent.extend(e["message"] for e in logEvents),
        exceptions=SimpleNamespace(ResourceNotFoundException=type("Missing", (Exception,), {})),
    )

    def client_of(service: str, role: str, *_: str) -> object:
        if role == "gone":
            raise error
        return client

    shipper = LogShipper(SimpleNamespace(client=client_of, stopping=threading.Event()), "logs")
    for role in ("gone", "kept", "gone", "kept"):
        shipper.add(Stream("us-east-1", role, "group", "stream", "a.service", role), 0, f"of {role}")
        until(lambda: not shipper._lines)
    until(lambda: sent == ["of kept", "of kept"])
