"""Every module has a README with current tables, tests, and an example that Terraform can plan."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile

import pytest

from ops import child_environment
from ops.terraform import binary, module_tables, providers

MODULES = module_tables.modules()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_readme_has_current_tables(module):
    text = (module / "README.md").read_text()
    assert text.startswith(f"# {module.name}\n")
    assert len(text.partition(module_tables.BEGIN)[0].split()) > 30, "explain what the module makes, and why"
    assert text == module_tables.updated(module), f"run: python -m ops.terraform.module_tables {module}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_module_has_an_example_and_tests(module):
    assert f'module "{module.name}"' in (module / "examples" / "complete" / "main.tf").read_text()
    assert list(module.glob("tests/*.tftest.hcl"))


def test_every_example_is_planned(embedded_aws, stack_variables, tmp_path):
    """Plan all examples in one root: starting Terraform takes longest. Their providers are configured alike."""
    package = tmp_path / "function.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context):\n    return event\n")
    root = tmp_path / "examples"
    root.mkdir()
    blocks = []
    for module in MODULES:
        example = module / "examples" / "complete"
        wanted = "".join(path.read_text() for path in example.glob("*.tf"))
        values = f"  zip_path = {json.dumps(str(package))}\n" if 'variable "zip_path"' in wanted else ""
        source = os.path.relpath(example, root)
        blocks.append(f'module "{module.name}" {{\n  source = "{source}"\n{values}}}\n')
    (root / "main.tf").write_text("\n".join(blocks))
    lock = module_tables.MODULES.parent / "foundation" / ".terraform.lock.hcl"
    (root / lock.name).write_text(lock.read_text())

    environment = child_environment.build("terraform", stack_variables(embedded_aws))
    environment["TF_CLI_CONFIG_FILE"] = str(providers.cli_config())

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [binary.find(), *arguments], cwd=root, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("init", "-input=false")
    events = [json.loads(line) for line in run("plan", "-input=false", "-json").splitlines()]
    planned = {
        e["change"]["resource"]["module"].split(".")[1] for e in events if e["type"] == "planned_change"
    }
    assert planned == {module.name for module in MODULES}
    assert not [e["diagnostic"]["summary"] for e in events if e["type"] == "diagnostic"]
