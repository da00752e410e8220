"""Gates format, validate and tests report known problems. The configuration has no provider, so Terraform starts fast."""

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
    """Return a function that makes the Configuration of a repository with these files."""

    def make(**files: str) -> Configuration:
        (repository.root / ROOT / "main.tf").unlink()
        repository.write(f"{ROOT}/.terraform.lock.hcl", "")
        for name, text in files.items():
            repository.write(f"{ROOT}/{name}.tf", text)
        return Configuration(repository.root, tmp_path / "work")

    make.repository = repository
    return make


def reported(result) -> list[tuple[str, str]]:
    return [(finding.where, finding.what) for finding in result.open]


def test_a_valid_configuration_passes_and_the_sources_stay_clean(configuration):
    configuration.repository.write(f"{ROOT}/tests/name.tftest.hcl", TEST % ("it_is_a", "a"))
    checked = configuration(main=GOOD)
    before = sorted(configuration.repository.root.rglob("*"))
    assert (checked.roots, checked.tested) == ([ROOT], [ROOT])
    assert checked.formatting().open == []
    assert checked.validity(ROOT).open == []
    assert (checked.tests(ROOT).open, checked.tests(ROOT).examined) == ([], 1)
    assert sorted(configuration.repository.root.rglob("*")) == before


def test_an_unformatted_file_is_reported(configuration):
    checked = configuration(main=GOOD, ugly="locals {\n  a = 1\n  long   = 2\n}\n")
    ((place, what),) = reported(checked.formatting())
    assert place == f"{ROOT}/ugly.tf:1"
    assert what == "is not formatted"


def test_an_invalid_reference_is_reported(configuration):
    checked = configuration(main=GOOD, bad="\nlocals {\n  a = var.nmae\n}\n")
    assert reported(checked.validity(ROOT)) == [
        (f"{ROOT}/bad.tf:3", "Reference to undeclared input variable")
    ]


def test_a_syntax_error_is_reported(configuration):
    assert reported(configuration(main=GOOD, bad="locals {\n").validity(ROOT))[0][0].startswith(
        f"{ROOT}/bad.tf:"
    )


def test_a_failing_terraform_test_is_reported_with_its_name(configuration):
    configuration.repository.write(f"{ROOT}/tests/name.tftest.hcl", TEST % ("it_is_b", "b"))
    assert reported(configuration(main=GOOD).tests(ROOT)) == [
        (f"{ROOT}/tests/name.tftest.hcl:9", "Test assertion failed (it_is_b)")
    ]


def test_a_gate_that_cannot_run_fails(configuration, monkeypatch):
    checked = configuration(main=GOOD)
    with Gates(checked.root, checked.work, checked.root / "no-python") as gates:
        monkeypatch.setenv("PATH", "/nowhere")
        gates._start("format", checked.formatting)
        (result,) = gates.results()
    assert not result.passed
    assert "Terraform is not installed" in result.open[0].what
