"""The pre-commit hooks run the tools that this repository locks, and accept the repository as it is committed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
REPOSITORIES = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
HOOKS = {hook["id"]: hook for repository in REPOSITORIES for hook in repository["hooks"]}
TOOLS = Path(sys.executable).parent


def command(hook: dict) -> list[str]:
    """Return a hook's command, with the tools of the interpreter that runs the tests."""
    program, *arguments = shlex.split(hook["entry"])
    return [str(TOOLS / Path(program).name) if program.startswith(".venv/bin/") else program, *arguments]


def test_every_hook_is_local():
    assert {repository["repo"] for repository in REPOSITORIES} == {"local"}
    assert {hook["language"] for hook in HOOKS.values()} == {"system"}


@pytest.mark.parametrize("name", HOOKS)
def test_the_tool_of_a_hook_is_there(name):
    assert shutil.which(command(HOOKS[name])[0])


@pytest.mark.parametrize("name", [name for name, hook in HOOKS.items() if "files" in hook])
def test_a_hook_matches_tracked_files(name):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    assert any(re.search(HOOKS[name]["files"], file) for file in tracked.stdout.splitlines())


@pytest.mark.parametrize("name", ["zizmor", "github-workflows", "github-actions", "dependabot"])
def test_the_hooks_of_workflows_accept_the_workflows(name):
    hook = HOOKS[name]
    folder = [str(path.relative_to(ROOT)) for path in (ROOT / ".github").rglob("*.yml")]
    files = [path for path in folder if re.search(hook["files"], path)]
    given = [] if hook.get("pass_filenames") is False else files
    done = subprocess.run([*command(hook), *given], cwd=ROOT, capture_output=True, text=True)
    assert files and done.returncode == 0, done.stdout + done.stderr
