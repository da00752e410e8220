"""Terraform's own checks: format, validity, and the tests with mocked AWS."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ops import terraform, terraform_providers

TERRAFORM = Path(__file__).parents[2] / "terraform"
ROOTS = ["access", "foundation", "serving"]

pytestmark = pytest.mark.slow


def run(*arguments: str, folder: Path, data: Path) -> str:
    """Output of a Terraform command, with its working files in `data` and no AWS within reach."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environment |= {"TF_DATA_DIR": str(data), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    if config := terraform_providers.cli_config():
        environment["TF_CLI_CONFIG_FILE"] = str(config)
    done = subprocess.run(
        [terraform.binary(), *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_files_are_formatted(tmp_path):
    assert run("fmt", "-check", "-recursive", folder=TERRAFORM, data=tmp_path) == ""


@pytest.mark.parametrize("root", ROOTS)
def test_root_is_valid_and_keeps_its_promises(root, tmp_path):
    folder = TERRAFORM / root
    run("init", "-backend=false", "-input=false", "-lockfile=readonly", folder=folder, data=tmp_path)
    run("validate", folder=folder, data=tmp_path)
    assert ", 0 failed." in run("test", "-no-color", folder=folder, data=tmp_path)


@pytest.mark.parametrize(
    "module", [path.parent for path in TERRAFORM.glob("modules/*/tests")], ids=lambda p: p.name
)
def test_module_keeps_its_promises(module, tmp_path):
    """In a copy: initialising a module leaves a lock file, which belongs to roots."""
    folder = tmp_path / "modules" / module.name
    shutil.copytree(module, folder)
    run("init", "-backend=false", "-input=false", folder=folder, data=tmp_path / "data")
    assert ", 0 failed." in run("test", "-no-color", folder=folder, data=tmp_path / "data")
