"""Parse the lines that Terraform prints with -json."""

from __future__ import annotations

import json
from typing import Any

Event = dict[str, Any]

_STARTED = {"create": "creating", "delete": "deleting", "update": "updating"}
_COMPLETED = {"create": "created", "delete": "deleted", "update": "updated"}


def actions(change: Event) -> list[str]:
    """Return the steps of a planned change."""
    steps = ["delete", "create"] if change["action"] == "replace" else [change["action"]]
    return ["import", *(step for step in steps if step != "import")] if "importing" in change else steps


def parse(line: str) -> Event:
    """Return a line of -json output. Any other line becomes an event of type `text`."""
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return {"type": "text", "@message": line}
    return event if isinstance(event, dict) and "type" in event else {"type": "text", "@message": line}


def errors(events: list[Event]) -> list[Event]:
    """Return the diagnostics of severity error."""
    return [e["diagnostic"] for e in events if e.get("diagnostic", {}).get("severity") == "error"]


def completed(events: list[Event]) -> int:
    """Return the number of steps that AWS has confirmed: what was read, created, changed or deleted."""
    return sum(event["type"].endswith("_complete") for event in events)


def progress_text(event: Event) -> str:
    """Return the progress text of an event, or an empty string."""
    hook = event.get("hook", {})
    action, resource = hook.get("action", ""), hook.get("resource", {}).get("addr", "")
    if action == "read":
        return ""
    if event["type"] == "apply_start":
        return f"{_STARTED.get(action, 'changing')} {resource}"
    if event["type"] == "apply_progress":  # every ten seconds
        return f"{_STARTED.get(action, 'changing')} {resource} ({_duration(hook.get('elapsed_seconds', 0))})"
    if event["type"] == "apply_complete":
        return f"{_COMPLETED.get(action, 'changed')} {resource}"
    return ""


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
