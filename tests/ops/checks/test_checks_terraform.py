"""Terraform's gates on known-bad configuration. It has no provider, so that Terraform starts in a moment."""

from __future__ import annotations

import pytest

from ops.checks.gates import Gates
from ops.checks.terraform import Configuration

pytestmark = pytest.mark.slow

ROOT = "terraform/foundation"
GOOD = 'variable "name" {\n  type = string\n}\n\noutput "name" {\n  value = var.name\n}\n'
TEST = 'run "%s" {\n  command = plan\n\n  variables {\n    name = "a"\n  }\n\n  assert {\n    condition     = output.name == "%s"\n    error_message = "It is not."\n  }\n}\n'


@pytest.fixture
def configuration(repository, tmp_path):
    """Terraform's view of a repository with `files` in it."""

    def make(**files: str) -> Configuration:
        (repository.root / ROOT / "main.tf").unlink()
        repository.write(f"{ROOT}/.terraform.lock.hcl", "")
        for name, text in files.items():
            repository.write(f"{ROOT}/{name}.tf", text)
        return Configuration(repository.root, tmp_path / "work")

    make.repository = repository
    return make


def told(result) -> list[tuple[str, str]]:
    return [(finding.where, finding.what) for finding in result.open]


def test_good_configuration_passes_and_nothing_is_written_beside_it(configuration):
    configuration.repository.write(f"{ROOT}/tests/name.tftest.hcl", TEST % ("it_is_a", "a"))
    checked = configuration(main=GOOD)
    before = sorted(configuration.repository.root.rglob("*"))
    assert (checked.roots, checked.tested) == ([ROOT], [ROOT])
    assert checked.formatting().open == []
    assert checked.validity(ROOT).open == []
    assert (checked.tests(ROOT).open, checked.tests(ROOT).examined) == ([], 1)
    assert sorted(configuration.repository.root.rglob("*")) == before


def test_what_is_not_formatted_is_found_with_its_place(configuration):
    checked = configuration(main=GOOD, ugly="locals {\n  a = 1\n  long   = 2\n}\n")
    ((place, what),) = told(checked.formatting())
    assert place == f"{ROOT}/ugly.tf:1"
    assert what == "not formatted as terraform fmt would"


def test_what_is_not_valid_is_found_with_its_place(configuration):
    checked = configuration(main=GOOD, bad="\nlocals {\n  a = var.nmae\n}\n")
    assert told(checked.validity(ROOT)) == [(f"{ROOT}/bad.tf:3", "Reference to undeclared input variable")]


def test_what_terraform_cannot_even_read_is_found(configuration):
    assert told(configuration(main=GOOD, bad="locals {\n").validity(ROOT))[0][0].startswith(f"{ROOT}/bad.tf:")


def test_a_test_that_fails_is_found_with_its_place_and_name(configuration):
    configuration.repository.write(f"{ROOT}/tests/name.tftest.hcl", TEST % ("it_is_b", "b"))
    assert told(configuration(main=GOOD).tests(ROOT)) == [
        (f"{ROOT}/tests/name.tftest.hcl:9", "Test assertion failed (it_is_b)")
    ]


def test_a_gate_that_cannot_run_has_failed(configuration, monkeypatch):
    checked = configuration(main=GOOD)
    with Gates(checked.root, checked.work, checked.root / "no-python") as gates:
        monkeypatch.setenv("PATH", "/nowhere")
        gates._start("format", checked.formatting)
        (result,) = gates.results()
    assert not result.passed
    assert "Terraform is not on this machine" in result.open[0].what
