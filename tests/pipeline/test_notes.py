"""The notes that stages print."""

import pytest

from ops.terraform.stack import Change
from pipeline.notes import changes_note

NEW, ADOPTED, UPDATED = Change("a", ("create",)), Change("b", ("import",)), Change("c", ("import", "update"))


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ((), "bucket and key unchanged"),
        ((NEW,), "1 resources changed"),
        (
            (NEW, ADOPTED, UPDATED),
            "3 resources changed (adopted 2 resources left by an interrupted apply)",
        ),
    ],
)
def test_the_note_of_a_stack_counts_changes_and_adopted_resources(changes, note):
    assert changes_note(changes, "bucket and key") == note
