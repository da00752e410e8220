"""Network addresses of instances."""

from __future__ import annotations

from typing import Any

import pytest

from embedded_aws.services.sagemaker.training import addresses


def test_jobs_never_share_an_address() -> None:
    first, second = addresses.reserve(2), addresses.reserve(2)
    try:
        assert len({*first.hosts, *second.hosts}) == 4
        assert first.master_port != second.master_port
    finally:
        first.release()
        second.release()


def test_one_loopback_address_allows_one_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr("embedded_aws.services.sagemaker.training.addresses.socket.socket.bind", refuse)
    assert addresses.reserve(1).hosts == ["127.0.0.1"]
    with pytest.raises(addresses.NoLoopbackNetwork, match="2 instances need 2 loopback addresses"):
        addresses.reserve(2)
