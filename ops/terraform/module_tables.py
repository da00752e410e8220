"""The tables in the READMEs of Terraform modules, read from their sources: `python -m ops.module_tables` writes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ops.paths import ROOT

MODULES = ROOT / "terraform" / "modules"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def modules() -> list[Path]:
    """The folders of all modules."""
    return sorted(path.parent for path in MODULES.glob("*/variables.tf"))


def tables(module: Path) -> str:
    """Inputs, outputs and resources of a module as Markdown tables."""
    blocks: dict[str, list[dict[str, Any]]] = {"variable": [], "output": [], "resource": [], "module": []}
    for path in sorted(module.glob("*.tf")):
        for kind, found in _load(path).items():
            if kind in blocks:
                blocks[kind] += found
    inputs = [
        row for block in blocks["variable"] for name, body in _named(block) for row in _rows(name, body)
    ]
    outputs = [
        (f"`{name}`", body["description"]) for block in blocks["output"] for name, body in _named(block)
    ]
    resources = sorted({kind for block in blocks["resource"] for kind, _ in _named(block)})
    return "\n\n".join(
        [
            "### Inputs\n\n" + _table(["name", "type", "default", "description"], inputs),
            "### Outputs\n\n" + _table(["name", "description"], outputs),
            "### Resources\n\n" + ", ".join(f"`{kind}`" for kind in resources),
        ]
    )


def updated(module: Path) -> str:
    """The module's README with its tables brought up to date."""
    text = (module / "README.md").read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{module.name}/README.md has no place for its tables: {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{tables(module)}\n{END}{after}"


def _load(path: Path) -> dict[str, Any]:
    import hcl2

    return _plain(hcl2.loads(path.read_text()))


def _plain(value: Any) -> Any:
    """hcl2's values with strings and names as they are, without the quotes of the source."""
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items() if not k.startswith("__")}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"')
    return value


def _named(block: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from block.items()


def _rows(name: str, body: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """A variable, and below it the fields of its object."""
    kind = body["type"].removeprefix("${").removesuffix("}")
    default = _literal(body["default"]) if "default" in body else "required"
    fields = list(_fields(name, kind))
    shown = "object" if kind.startswith("object(") else kind
    return [(f"`{name}`", f"`{shown}`", default, body["description"]), *fields]


def _fields(name: str, kind: str) -> Iterator[tuple[str, str, str, str]]:
    """The fields of `object({…})`, nested ones and those of lists and maps of objects too."""
    for wrapper in ("list(", "set(", "map("):
        if kind.startswith(wrapper + "object("):
            name, kind = f"{name}[*]", kind.removeprefix(wrapper)[:-1]
    if not kind.startswith("object({"):
        return
    for field in _split(kind.removeprefix("object({")[:-2]):
        label, _, inner = field.partition("=")
        label, inner, default = f"{name}.{label.strip()}", inner.strip(), "required"
        if inner.startswith("optional("):
            inner, *given = _split(inner.removeprefix("optional(")[:-1])
            default = f"`{given[0]}`" if given else "`null`"
        shown = "object" if inner.startswith("object(") else inner
        yield f"`{label}`", f"`{shown}`", default, ""
        yield from _fields(label, inner)


def _split(text: str) -> list[str]:
    """At the commas that stand in no bracket and no string."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, sign in enumerate(text):
        if sign == '"':
            quoted = not quoted
        elif not quoted:
            depth += (sign in "([{") - (sign in ")]}")
            if sign == "," and depth == 0:
                parts.append(text[start:at].strip())
                start = at + 1
    return [part for part in [*parts, text[start:].strip()] if part]


def _literal(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return f"`{str(value).lower() if value is not None else 'null'}`"
    if isinstance(value, str):
        return f"`{value.removeprefix('${').removesuffix('}')}`" if value.startswith("${") else f'`"{value}"`'
    return f"`{value}`"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "None."
    lines: list[Sequence[str]] = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    wanted = {Path(name).resolve() for name in sys.argv[1:]}
    for folder in modules():
        if folder in wanted or (not wanted and (folder / "README.md").exists()):
            (folder / "README.md").write_text(updated(folder))
