"""Read the variables, outputs and resources of a Terraform folder.

The description of an object variable is a heredoc: a summary, then one line per field, named by its path.

    description = <<-EOT
      How the endpoint serves. Set exactly one of the fields.

      instance: Real-time inference on instances.
      instance.type: SageMaker instance type, such as ml.m5.large.
    EOT

Elements of a list or map are named without an index: `schedules.name: Name of the schedule.`
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FIELD_LINE = re.compile(r"([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*): (\S.*)")


@dataclass(frozen=True)
class Input:
    """A variable, or a field of an object variable.

    name: path, such as `autoscaling.schedules[*].name`.
    type: Terraform type, as the source has it without spaces that do not matter.
    default: HCL expression, `null` for an optional field without a default, or None for a required input.
    description: empty if the source has none.
    """

    name: str
    type: str
    default: str | None
    description: str


@dataclass(frozen=True)
class Folder:
    """What a root or a module declares."""

    inputs: tuple[Input, ...]
    outputs: dict[str, str]
    resource_types: tuple[str, ...]


def read(folder: Path) -> Folder:
    """Return the declarations in the .tf files of a folder.

    Raises:
        ValueError: A description has a line for a field that the type does not have.
    """
    blocks: dict[str, dict[str, Any]] = {"variable": {}, "output": {}, "resource": {}}
    for path in sorted(folder.glob("*.tf")):
        for kind, found in load(path).items():
            for block in found if kind in blocks else ():
                blocks[kind] |= block
    return Folder(
        inputs=tuple(row for name, body in blocks["variable"].items() for row in _inputs(name, body)),
        outputs={name: _text(body.get("description", "")) for name, body in blocks["output"].items()},
        resource_types=tuple(sorted(blocks["resource"])),
    )


def load(path: Path) -> dict[str, Any]:
    """Return a .tf file as Python objects: expressions as `${...}`, strings and names without quotes."""
    import hcl2

    with path.open(encoding="utf-8") as source:
        return _unquoted(hcl2.load(source))  # type: ignore[no-any-return]


def _unquoted(value: Any) -> Any:
    """Remove the quotation marks that hcl2 keeps around names and strings, and its own `__` entries."""
    if isinstance(value, dict):
        return {_unquoted(k): _unquoted(v) for k, v in value.items() if not k.startswith("__")}
    if isinstance(value, list):
        return [_unquoted(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"')
    return value


def _text(description: str) -> str:
    """Return a description as text, whether it is a string or a heredoc."""
    heredoc = re.fullmatch(r"<<-?(\w+)\n(.*)\n\s*\1", description, re.DOTALL)
    return textwrap.dedent(heredoc.group(2)) if heredoc else description


def _inputs(name: str, body: dict[str, Any]) -> Iterator[Input]:
    """Yield a variable and the fields of its object."""
    type_ = body.get("type", "any").removeprefix("${").removesuffix("}")
    default = _expression(body["default"]) if "default" in body else None
    fields = list(_fields(name, type_))
    summary, described = _meanings(_text(body.get("description", "")), has_fields=bool(fields))
    yield Input(name, type_, default, summary)
    for field in fields:
        path = field.name.replace("[*]", "").removeprefix(f"{name}.")
        yield Input(field.name, field.type, field.default, described.pop(path, ""))
    if described:
        raise ValueError(f"variable {name}: the description names unknown fields: {', '.join(described)}")


def _meanings(description: str, has_fields: bool) -> tuple[str, dict[str, str]]:
    """Split a description into its summary and the meaning of each field, by path."""
    summary, meanings = [], {}
    for line in description.splitlines():
        if has_fields and (found := _FIELD_LINE.fullmatch(line.strip())):
            meanings[found.group(1)] = found.group(2)
        elif line.strip():
            summary.append(line.strip())
    return " ".join(summary), meanings


def _fields(name: str, type_: str) -> Iterator[Input]:
    """Yield the fields of an object type without descriptions, nested objects and elements included."""
    for wrapper in ("list(", "set(", "map("):
        if type_.startswith(wrapper + "object("):
            name, type_ = f"{name}[*]", type_.removeprefix(wrapper)[:-1]
    if not type_.startswith("object({"):
        return
    for field in _split(type_.removeprefix("object({").removesuffix("})")):
        label, _, inner = field.partition("=")
        path, inner, default = f"{name}.{label.strip()}", inner.strip(), None
        if inner.startswith("optional("):
            inner, *given = _split(inner.removeprefix("optional(")[:-1])
            default = given[0] if given else "null"
        yield Input(path, inner, default, "")
        yield from _fields(path, inner)


def _split(text: str) -> list[str]:
    """Split at the commas outside brackets and strings."""
    parts, depth, quoted, start = [], 0, False, 0
    for position, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted:
            depth += (character in "([{") - (character in ")]}")
            if character == "," and depth == 0:
                parts.append(text[start:position].strip())
                start = position + 1
    return [part for part in [*parts, text[start:].strip()] if part]


def _expression(value: Any) -> str:
    """Return a default as HCL."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value[2:-1] if value.startswith("${") else f'"{value}"'
    return str(value)
