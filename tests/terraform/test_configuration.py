"""The Terraform files as text: typed, described and locked, and blind to where they run."""

import re
from pathlib import Path

import pytest

TERRAFORM = Path(__file__).parents[2] / "terraform"
ROOTS = ["access", "foundation", "serving", "training_host", "workbench"]
FILES = sorted(TERRAFORM.rglob("*.tf"))
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(kind, body, id=f"{path.parent.name}-{kind}-{name}")
    for path in FILES
    for kind, name, body in BLOCK.findall(path.read_text())
]


@pytest.mark.parametrize(("kind", "body"), BLOCKS)
def test_every_variable_and_output_is_described(kind, body):
    assert re.search(r'^  description = (".{10,}"|<<-EOT\n    .{10,})$', body, re.MULTILINE)
    if kind == "variable":
        assert re.search(r"^  type\s+= ", body, re.MULTILINE)
        assert re.search(r"^  nullable\s+= false$", body, re.MULTILINE)


@pytest.mark.parametrize("root", ROOTS)
def test_lock_file_pins_one_provider_for_every_platform(root):
    lock = (TERRAFORM / root / ".terraform.lock.hcl").read_text()
    assert re.findall(r'^provider "(.+)"', lock, re.MULTILINE) == ["registry.terraform.io/hashicorp/aws"]
    assert 'version     = "5.100.0"' in lock
    assert (
        len(set(re.findall(r'"zh:[0-9a-f]{64}"', lock))) == 15
    )  # one per platform, and the registry's manifest
    assert lock == (TERRAFORM / ROOTS[0] / ".terraform.lock.hcl").read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TERRAFORM)))
def test_nothing_knows_where_it_runs(path):
    text = path.read_text()
    assert not re.search(r"is_local|localhost|127\.0\.0\.1|endpoints\s*\{|skip_credentials", text)
    assert not re.search(r"\b(?!763104351884|123456789012)\d{12}\b", text), "an account number"
    assert "random_" not in text, "names are computed from inputs"


@pytest.mark.parametrize("root", ROOTS)
def test_everything_is_tagged_by_the_provider(root):
    text = (TERRAFORM / root / "provider.tf").read_text()
    for tag in ("Project", "Environment", "ManagedBy", "Stack"):
        assert re.search(rf"^\s+{tag}\s+= ", text, re.MULTILINE)
    assert f'Stack       = "{root}"' in text
