"""Requirements of a model: which of them have to be installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedded_aws.services.sagemaker.hosting.requirements import missing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("# nothing\n--no-index\n", False),
        ("pytest>=1  # here\n", False),
        ("absent; python_version < '3'", False),
        ("pytest<1", True),
        ("no-such-package", True),
        ("git+https://example.com/x", True),
        ("-r others.txt", True),
        ("-e .", True),
    ],
)
def test_what_this_machine_has_is_not_installed(tmp_path: Path, text: str, expected: bool) -> None:
    file = tmp_path / "requirements.txt"
    assert missing(file) is False
    file.write_text(text)
    assert missing(file) is expected
