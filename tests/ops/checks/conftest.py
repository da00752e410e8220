"""Fixtures: a small repository and the interpreter of .venv-checkov."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.checks import venv
from tests.ops.checks.small_repository import Repository


@pytest.fixture
def repository(tmp_path) -> Repository:
    """Return a repository that passes every gate."""
    return Repository(tmp_path / "repository")


@pytest.fixture(scope="session")
def tools() -> Path:
    """Return the interpreter of .venv-checkov; build the environment if needed."""
    return venv.python()
