"""The Terraform sources: typed, described, locked, tagged, and the same for every AWS."""

import re
from pathlib import Path

import pytest

from ops.terraform import hcl

TERRAFORM = Path(__file__).parents[2] / "terraform"
ROOTS = ["access", "foundation", "serving", "training_host", "workbench"]
FILES = sorted(TERRAFORM.rglob("*.tf"))
FOLDERS = sorted({path.parent for path in TERRAFORM.rglob("variables.tf")})
VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_input_field_and_output_is_described(folder):
    declared = hcl.read(folder)
    described = {**{i.name: i.description for i in declared.inputs}, **declared.outputs}
    assert [name for name, text in described.items() if len(text) < 10] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_variable_has_a_type_and_is_not_nullable(folder):
    for path in folder.glob("*.tf"):
        for name, body in VARIABLE.findall(path.read_text()):
            assert re.search(r"^  type\s+= ", body, re.MULTILINE), name
            assert re.search(r"^  nullable\s+= false$", body, re.MULTILINE), name


@pytest.mark.parametrize("root", ROOTS)
def test_lock_file_pins_one_provider_for_every_platform(root):
    lock = (TERRAFORM / root / ".terraform.lock.hcl").read_text()
    assert re.findall(r'^provider "(.+)"', lock, re.MULTILINE) == ["registry.terraform.io/hashicorp/aws"]
    assert 'version     = "5.100.0"' in lock
    hashes = set(re.findall(r'"zh:[0-9a-f]{64}"', lock))
    assert len(hashes) == 15  # one per platform, and the registry's manifest
    assert lock == (TERRAFORM / ROOTS[0] / ".terraform.lock.hcl").read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TERRAFORM)))
def test_source_does_not_depend_on_the_environment(path):
    text = path.read_text()
    assert not re.search(r"is_local|localhost|127\.0\.0\.1|endpoints\s*\{|skip_credentials", text)
    assert not re.search(r"\b(?!123456789012)\d{12}\b", text), "an account number"
    assert "random_" not in text, "names are computed from inputs"


@pytest.mark.parametrize("root", ROOTS)
def test_provider_tags_every_resource(root):
    text = (TERRAFORM / root / "provider.tf").read_text()
    for tag in ("Project", "Environment", "ManagedBy", "Stack"):
        assert re.search(rf"^\s+{tag}\s+= ", text, re.MULTILINE)
    assert f'Stack       = "{root}"' in text
