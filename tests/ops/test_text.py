"""Messages of AWS and of programs, as sentences."""

import pytest

from ops.text import clause, sentence


@pytest.mark.parametrize(
    ("message", "result"),
    [
        ("it was stopped", "it was stopped."),
        ("AlgorithmError: exit code 1.", "AlgorithmError: exit code 1."),
        ("Why?", "Why?"),
        ("two\n  lines ", "two lines."),
        ("x" * 20, "xxxxxxxxx…"),
    ],
)
def test_a_sentence_ends_with_one_mark(message, result):
    assert sentence(message, 10 if message.startswith("x") else 600) == result


def test_a_clause_has_no_full_stop():
    assert clause("not authorized.") == clause("not authorized") == "not authorized"
