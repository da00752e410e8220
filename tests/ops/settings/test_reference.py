"""docs/settings.md is generated from the settings, and every setting has a description."""

from __future__ import annotations

import re

import pytest
from pydantic import Field

from ops.settings import Settings, reference
from ops.settings.section import Section


def test_the_reference_is_up_to_date():
    assert reference.DOCUMENT.read_text() == reference.document(), "run: python -m ops.settings.reference"


def test_no_cell_of_the_reference_is_empty():
    rows = [line for line in reference.document().splitlines() if line.startswith("| `")]
    assert len(rows) > 90
    cells = {row: [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows}
    assert {row for row, found in cells.items() if len(found) != 5 or not all(found)} == set()


def test_the_reference_has_every_section():
    text = reference.document()
    for name in Settings.model_fields.keys() - {"environment"}:
        assert f"`[{name}]`" in text or f"| `{name}` |" in text, name


class Inner(Section):
    """Inner section."""

    step: int = Field(1, ge=1, multiple_of=2, description="Step.")


class Small(Section):
    """Small section."""

    names: list[str] = Field([], max_length=3, description="Names, a|b.")
    inner: Inner | None = None
    entries: list[Inner] = Field([])


def test_a_row_shows_type_default_allowed_values_and_meaning():
    lines = reference.document(Small).splitlines()
    assert "| `names` | list of strings | `[]` | 3 or fewer values | Names, a\\|b. |" in lines
    assert "| `step` | integer | `1` | ≥ 1, multiple of 2 | Step. |" in lines
    assert [line for line in lines if line.startswith("##")] == [
        "## Top level",
        "## `[inner]`, optional",
        "## `[[entries]]`, any number of entries",
    ]


def test_a_setting_without_a_description_is_refused():
    class Silent(Section):
        """Silent section."""

        step: int = 1

    with pytest.raises(ValueError, match="Top level step has no description"):
        reference.document(Silent)
