"""Delivery of events in the background."""

from __future__ import annotations

from embedded_aws.services.events.delivery import Delivery


def test_deliveries_wait_for_the_start(until):
    delivery, started, seen = Delivery(), [], []
    delivery.submit(lambda: seen.append(bool(started)))
    started.append(True)
    delivery.start()
    assert until(lambda: seen) == [True]


def test_failed_delivery_is_logged_and_the_next_one_runs(until, caplog):
    delivery, received = Delivery(), []
    delivery.start()
    delivery.submit(int, "not a number")
    until(lambda: "an event could not be delivered" in caplog.text)
    assert "ValueError" in caplog.text
    delivery.submit(received.append, "next")
    assert until(lambda: received) == ["next"]
