"""Terraform's tests, with mocked AWS, of every module and root. Format and validity: ./inv check's own test."""

from pathlib import Path

import pytest

from ops.checks.terraform import Configuration

ROOT = Path(__file__).parents[2]
TESTS = sorted((ROOT / "terraform").rglob("tests/*.tftest.hcl"))
TESTED = sorted({str(path.parents[1].relative_to(ROOT)) for path in TESTS})

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def configuration(tmp_path_factory) -> Configuration:
    return Configuration(ROOT, tmp_path_factory.mktemp("terraform"))


@pytest.mark.parametrize("folder", TESTED)
def test_keeps_its_promises(configuration, folder):
    result = configuration.tests(folder)
    assert result.open == []
    runs = [path.read_text().count('\nrun "') for path in TESTS if path.is_relative_to(ROOT / folder)]
    assert result.examined == sum(runs) > 0


def test_every_root_is_tested(configuration):
    assert sorted(configuration.tested) == TESTED
    assert set(configuration.roots) <= set(TESTED)
