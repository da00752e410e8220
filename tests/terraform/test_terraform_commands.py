"""`terraform test` of every module and root, with mocked AWS. tests/cli/test_check.py checks format and validity."""

from pathlib import Path

import pytest

from ops.checks.terraform import Configuration

ROOT = Path(__file__).parents[2]
TESTS = sorted((ROOT / "terraform").rglob("tests/*.tftest.hcl"))
TESTED = sorted({str(path.parents[1].relative_to(ROOT)) for path in TESTS})

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def configuration(tmp_path_factory):
    made = Configuration(ROOT, tmp_path_factory.mktemp("terraform"))
    yield made
    made.close()


@pytest.mark.parametrize("folder", TESTED)
def test_terraform_test_passes(configuration, folder):
    result = configuration.tests(folder)
    assert result.open == []
    runs = [path.read_text().count('\nrun "') for path in TESTS if path.is_relative_to(ROOT / folder)]
    assert result.examined == sum(runs) > 0


def test_every_root_is_tested(configuration):
    assert sorted(configuration.tested) == TESTED
    assert set(configuration.roots) <= set(TESTED)
