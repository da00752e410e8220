"""The input of a target: the whole event, a part of it, a constant, or a filled template."""

from __future__ import annotations

import json
import re
from typing import Any

PATH = re.compile(r"\$(\.[\w/-]+|\[(\d+|\*)\]|\.\*)*")
STEP = re.compile(r"\.([\w/-]+)|\[(\d+)\]|(\[\*\]|\.\*)")
VARIABLE = re.compile(r"<([^<>\s]+)>")
# Variables that EventBridge defines.
RESERVED = (
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
)


def check(target: dict[str, Any]) -> str:
    """Return AWS's error message for an invalid input of a target; empty if it is valid."""
    transformer = target.get("InputTransformer") or {}
    paths = transformer.get("InputPathsMap") or {}
    if sum(bool(target.get(key)) for key in ("Input", "InputPath", "InputTransformer")) > 1:
        return (
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}."
        )
    for path in (target.get("InputPath") or "$", *paths.values()):
        if not PATH.fullmatch(path):
            return f"Invalid JSON path {path} for target {target['Id']}."
    if target.get("Input") and not _is_json(target["Input"]):
        return f"JSON syntax error in input for target {target['Id']}."
    template = transformer.get("InputTemplate", "")
    unknown = sorted({name for name in VARIABLE.findall(template) if name not in (*paths, *RESERVED)})
    if unknown:
        return f"InputTemplate for target {target['Id']} contains invalid placeholder {', '.join(unknown)}."
    return ""


def payload(target: dict[str, Any], event: dict[str, Any], rule_name: str, rule_arn: str) -> str:
    """Return the text that a target receives. Raises ValueError if a filled template is not valid JSON."""
    if text := target.get("Input"):
        return str(text)
    if path := target.get("InputPath"):
        return json.dumps(find(event, path))
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(event)
    values = {name: find(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": event,
    }
    filled = fill(transformer["InputTemplate"], values)
    if filled.lstrip().startswith("{") and not _is_json(filled):
        raise ValueError(
            f"the filled input template of target {target['Id']} is not valid JSON: {filled[:200]}"
        )
    return filled


def find(event: dict[str, Any], path: str) -> Any:
    """Return the value at a JSON path; None if there is none, a list for a path with a wildcard."""
    found: list[Any] = [event]
    many = False
    for name, index, wildcard in STEP.findall(path[1:]):
        following: list[Any] = []
        for value in found:
            if wildcard:
                following += (
                    value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
                )
            elif name and isinstance(value, dict) and name in value:
                following.append(value[name])
            elif index and isinstance(value, list) and int(index) < len(value):
                following.append(value[int(index)])
        found, many = following, many or bool(wildcard)
    return found if many else found[0] if found else None


def fill(template: str, values: dict[str, Any]) -> str:
    """Replace every <name> by its value: as JSON, or as text within a JSON string."""
    filled, last = "", 0
    for variable in VARIABLE.finditer(template):
        filled += template[last : variable.start()]
        last = variable.end()
        value = values[variable[1]]
        if not _in_string(template[: variable.start()]):
            filled += json.dumps(value)
        elif value is not None:
            filled += json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]
    return filled + template[last:]


def _in_string(before: str) -> bool:
    """Return whether the end of a text is within a JSON string."""
    return len(re.findall(r'"', re.sub(r"\\.", "", before))) % 2 == 1


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
