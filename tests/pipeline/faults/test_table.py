"""The table: rows are merged, escaped, and written between markers."""

from __future__ import annotations

import pytest

from ops.errors import OperatorError
from pipeline.faults import cases, kills, stages, table
from pipeline.faults.case import NOTHING, SUCCEEDS, Row


def row(stage: str, lost: str = NOTHING, message: str = "a | b") -> Row:
    return Row("Ctrl-C twice", stage, lost, SUCCEEDS, message, 10)


def test_rows_with_the_same_result_are_one():
    merged = table.merge([row("tune"), row("down"), row("down"), row("data", lost="1 model versions")])
    assert [(r.stage, r.lost) for r in merged] == [
        ("tune, down (2 times)", NOTHING),
        ("data", "1 model versions"),
    ]


def test_the_table_is_written_between_its_markers(tmp_path):
    document = tmp_path / "operations.md"
    document.write_text(f"# Head\n\n{table.BEGIN}\nold\n{table.END}\n\nTail\n")
    for _ in range(2):  # writing again changes nothing
        table.write([row("tune")], document)
    text = document.read_text()
    assert text.startswith("# Head\n") and text.endswith(f"{table.END}\n\nTail\n")
    assert "old" not in text
    assert "| Ctrl-C twice | tune | nothing | succeeds | a \\| b |" in text


def test_rows_of_other_faults_stay(tmp_path):
    document = tmp_path / "operations.md"
    document.write_text(f"{table.BEGIN}\n{table.END}\n")
    other = Row("a <fault>", "data", NOTHING, SUCCEEDS, "m", 1)
    table.write([row("tune"), other], document)
    table.write([row("down")], document)
    rows = [line for line in document.read_text().splitlines() if line.startswith("| ")]
    assert rows[2:] == [
        "| a &lt;fault> | data | nothing | succeeds | m |",
        "| Ctrl-C twice | down | nothing | succeeds | a \\| b |",
    ]


def test_a_document_without_markers_is_refused(tmp_path):
    document = tmp_path / "operations.md"
    document.write_text("# Head\n")
    with pytest.raises(OperatorError, match="add them where the table belongs"):
        table.write([row("tune")], document)


def test_a_row_passes_only_if_nothing_is_lost_and_the_next_run_succeeds():
    assert row("tune").passed
    assert not row("tune", lost="missing bucket b").passed
    assert not Row("f", "s", NOTHING, "fails: x", "", 0).passed


# ---- which cases ----


def test_seeds_are_reproducible_and_cover_every_stage_and_victim():
    found = kills.cases(20)
    assert found == kills.cases(20)
    assert {case.stage for case in found} == set(kills.STAGES)
    assert {case.victims for case in found} == set(kills.VICTIMS)


def test_cases_are_chosen_by_a_part_of_fault_or_stage():
    assert {case.stage for case in cases.choose(0, "ctrl-c twice, tune")} == {stages.TUNE}
    with pytest.raises(OperatorError, match="matches no fault or stage"):
        cases.choose(0, "flood")
    with pytest.raises(OperatorError, match="not a regular expression"):
        cases.choose(0, "(")


def test_every_case_starts_and_ends_at_a_stage_that_is_recorded():
    for case in cases.choose(8):
        assert case.first in stages.ORDER and case.last in stages.ORDER
