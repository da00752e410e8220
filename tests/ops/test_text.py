"""Messages of AWS and of programs, as sentences."""

import pytest

from ops.errors import OperatorError
from ops.text import clause, read_file, sentence


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


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
def test_file_of_an_editor_is_read_without_its_mark_and_carriage_returns(tmp_path, mark):
    (tmp_path / "a.toml").write_bytes(mark + 'a = "ä"\r\n'.encode())
    assert read_file(tmp_path / "a.toml") == 'a = "ä"\n'


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252"])
def test_file_in_another_encoding_is_refused_with_its_first_bad_byte(tmp_path, encoding):
    (tmp_path / "a.toml").write_bytes('a = "ä"'.encode(encoding))
    with pytest.raises(
        OperatorError, match=r"a\.toml is not UTF-8 text \(byte 0x.. at \d\): save it as UTF-8\."
    ):
        read_file(tmp_path / "a.toml")
