"""Gates ruff and mypy report known problems in Python sources."""

from __future__ import annotations

import pytest

from ops.checks import python
from ops.errors import OperatorError

PYPROJECT = '[tool.mypy]\nfiles = ["ops"]\nstrict = true\n\n[tool.ruff.lint]\nselect = ["F"]\n'
GOOD = '"""Good."""\n\n\ndef double(number: int) -> int:\n    return number * 2\n'


@pytest.fixture
def sources(repository):
    """Return a repository with one good Python module."""
    repository.write("pyproject.toml", PYPROJECT)
    repository.write("ops/good.py", GOOD)
    return repository


def reported(result) -> list[tuple[str, str]]:
    """Return location and rule of the open findings in ops/, and require that files were examined."""
    assert result.examined
    return [(finding.where, finding.rule) for finding in result.open if finding.file.startswith("ops/")]


def test_good_sources_pass(sources, tmp_path):
    assert reported(python.ruff(sources.root)) == []
    assert reported(python.mypy(sources.root, tmp_path / "work")) == []


def test_ruff_reports_a_lint_error_an_unformatted_file_and_a_syntax_error(sources):
    sources.write("ops/lint.py", "import os\n")
    sources.write("ops/layout.py", "x  =  1\n")
    sources.write("ops/syntax.py", "def x(:\n")
    assert {
        ("ops/lint.py:1", "F401"),
        ("ops/layout.py:1", "format"),
        ("ops/syntax.py:1", "invalid-syntax"),
    } <= set(reported(python.ruff(sources.root)))


def test_mypy_reports_a_type_error_and_a_missing_annotation(sources, tmp_path):
    sources.write("ops/numbers_.py", 'number: int = "one"\n\n\ndef untyped(value):\n    return value\n')
    result = python.mypy(sources.root, tmp_path / "work")
    assert reported(result) == [("ops/numbers_.py:1", "assignment"), ("ops/numbers_.py:4", "no-untyped-def")]
    assert result.examined == 2


def test_mypy_reports_a_syntax_error(sources, tmp_path):
    sources.write("ops/bad.py", "def x(:\n")
    assert ("ops/bad.py:1", "syntax") in reported(python.mypy(sources.root, tmp_path / "work"))


def test_a_tool_that_cannot_run_is_an_error(sources, tmp_path):
    sources.write("pyproject.toml", '[tool.mypy]\nfiles = ["no_such_folder"]\n')
    with pytest.raises(OperatorError, match=r"mypy failed: .*no_such_folder"):
        python.mypy(sources.root, tmp_path / "work")
    sources.write("pyproject.toml", '[tool.ruff]\nline-length = "long"\n')
    with pytest.raises(OperatorError, match=r"ruff check failed: .*line-length"):
        python.ruff(sources.root)
