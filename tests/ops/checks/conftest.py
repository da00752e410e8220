"""A small repository, and the interpreter that has the tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.checks import environment
from tests.ops.checks.small_repository import Repository


@pytest.fixture
def repository(tmp_path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture(scope="session")
def tools() -> Path:
    """The interpreter of .venv-checkov; builds the environment where there is none yet."""
    return environment.python()
