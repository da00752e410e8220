"""A pipeline on an embedded AWS, which the tests of a module share: `inv`, stack access, the demo."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from embedded_aws import client
from tests.e2e.pipeline_kit import Pipeline


@pytest.fixture(scope="module")
def inv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path_factory.mktemp("pipeline"))
    try:
        yield pipeline
    finally:
        client.destroy(pipeline.home)


@pytest.fixture(scope="module")
def access(inv) -> None:
    """Stack access is applied; from now on the operator runs the commands."""
    applied = inv("apply", "--stack", "access")
    assert applied.code == 0, applied.output
    inv.role = "operator"


@pytest.fixture(scope="module")
def demo(inv, access) -> SimpleNamespace:
    result = inv("demo", "--json")
    assert result.code == 0, result.output
    return result
