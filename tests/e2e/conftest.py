"""Fixtures of the end-to-end tests: an embedded AWS, the roles of its environment, the demo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from embedded_aws import client
from tests.e2e.pipeline_kit import Pipeline, Result


@pytest.fixture(scope="module")
def inv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(tmp_path_factory.mktemp("pipeline"))
    try:
        yield pipeline
    finally:
        client.destroy(pipeline.home)


@pytest.fixture(scope="module")
def access(inv):
    """The roles of people and CI. From here on the operator runs the tasks."""
    inv.succeed("apply", "--stack", "access")
    inv.role = "operator"


@pytest.fixture(scope="module")
def demo(inv, access) -> Result:
    return inv.succeed("demo")


@pytest.fixture
def frozen_backbone(inv) -> Iterator[None]:
    """The settings of EfficientNet-Lite0 with its pretrained weights, of which only the head is trained."""
    file = inv.repository / "environments" / "local.toml"
    text = file.read_text()
    assert text.count('"small_cnn"') == text.count("minimum_accuracy = 0.9") == 1
    changed = text.replace('"small_cnn"', '"efficientnet_lite0"\nmode = "linear-probe"')
    file.write_text(changed.replace("minimum_accuracy = 0.9", "minimum_accuracy = 0.5"))
    yield
    file.write_text(text)
    inv.succeed("tune")  # makes the search of the demo the current one again
