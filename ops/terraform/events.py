"""What Terraform tells with -json, line by line, and what of it a person wants to know."""

from __future__ import annotations

import json


def actions(action: str) -> list[str]:
    """A planned action as the steps it takes."""
    return ["delete", "create"] if action == "replace" else [action]


def parse(line: str) -> dict:
    """A line of -json output; a line of another kind becomes a message."""
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return {"type": "text", "@message": line}
    return event if isinstance(event, dict) and "type" in event else {"type": "text", "@message": line}


def progress_text(event: dict) -> str:
    """What a person wants to know of an event; empty for the rest."""
    resource = event.get("hook", {}).get("resource", {}).get("addr", "")
    if event.get("hook", {}).get("action") == "read":
        return ""
    if event["type"] == "apply_start":
        return f"{_DOING.get(event['hook'].get('action', ''), 'changing')} {resource}"
    if event["type"] == "apply_complete":
        return f"{_DONE.get(event['hook'].get('action', ''), 'changed')} {resource}"
    return ""


_DOING = {"create": "creating", "delete": "deleting", "update": "updating"}
_DONE = {"create": "created", "delete": "deleted", "update": "updated"}
