"""Write the tables in the READMEs of the Terraform modules: `python -m ops.terraform.module_tables [FOLDER...]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ops.paths import ROOT
from ops.terraform import hcl

MODULES = ROOT / "terraform" / "modules"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def modules() -> list[Path]:
    """Return the folders of all modules."""
    return sorted(path.parent for path in MODULES.glob("*/variables.tf"))


def tables(module: Path) -> str:
    """Return the inputs, outputs and resources of a module as Markdown.

    Raises:
        ValueError: An input or an output has no description.
    """
    declared = hcl.read(module)
    meanings = {**{i.name: i.description for i in declared.inputs}, **declared.outputs}
    if missing := [name for name, meaning in meanings.items() if not meaning]:
        raise ValueError(
            f"{module.name}: no description of {', '.join(missing)}: ops/terraform/hcl.py shows the format"
        )
    inputs = [
        (f"`{i.name}`", f"`{_short(i.type)}`", _default(i.default), i.description) for i in declared.inputs
    ]
    outputs = [(f"`{name}`", meaning) for name, meaning in declared.outputs.items()]
    return "\n\n".join(
        [
            "### Inputs\n\n" + _table(["name", "type", "default", "description"], inputs),
            "### Outputs\n\n" + _table(["name", "description"], outputs),
            "### Resources\n\n" + ", ".join(f"`{kind}`" for kind in declared.resource_types),
        ]
    )


def updated(module: Path) -> str:
    """Return the module's README with current tables.

    Raises:
        ValueError: The README has no place for the tables, or a description is missing.
    """
    text = (module / "README.md").read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{module.name}/README.md has no place for its tables: add {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{tables(module)}\n{END}{after}"


def main(folders: Sequence[str]) -> int:
    """Rewrite the READMEs of these modules, or of all. Return the exit status: 1 if one cannot be written."""
    status = 0
    for module in [Path(folder).resolve() for folder in folders] or modules():
        try:
            (module / "README.md").write_text(updated(module), encoding="utf-8")
        except ValueError as error:
            print(error, file=sys.stderr)
            status = 1
    return status


def _short(type_: str) -> str:
    """Return a type without the fields of its objects, which have rows of their own."""
    before, is_object, _ = type_.partition("object(")
    return f"{before}object" + ")" * before.count("(") if is_object else type_


def _default(default: str | None) -> str:
    return "required" if default is None else f"`{default}`"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "None."
    lines: list[Sequence[str]] = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
