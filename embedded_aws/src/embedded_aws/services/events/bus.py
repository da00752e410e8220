"""The default event bus: services emit events, matching rules deliver them."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Any

from moto.events.models import events_backends

from embedded_aws import ACCOUNT_ID


def rules(region: str) -> list[Any]:
    """Return the rules of the default bus. Without any, a service need not create an event."""
    return list(events_backends[ACCOUNT_ID][region].event_buses["default"].rules.values())


def emit(region: str, source: str, detail_type: str, resources: list[str], detail: dict[str, Any]) -> None:
    """Put a service's event on the default bus; rules deliver it in the background.

    source: e.g. "aws.ec2". resources: ARNs. detail: must be serializable as JSON.
    """
    listening = rules(region)
    if listening:
        event = new_event(region, source, detail_type, resources, detail)
        for rule in listening:
            rule.send_to_targets(event)


def new_event(
    region: str, source: str, detail_type: str, resources: list[str], detail: dict[str, Any]
) -> dict[str, Any]:
    """Return an event with the present time."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT_ID,
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": resources,
        "detail": detail,
    }
