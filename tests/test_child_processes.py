"""Every child process gets an environment that one function of its project builds. Read from the sources."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = ("ops", "pipeline", "cli", "ml/jobs", "ml/runner", "tasks.py", "embedded_aws/src")
STARTS = {"run", "Popen", "call", "check_call", "check_output"}
# They pass on the whole environment.
REFUSED = {"system", "popen", "spawnl", "spawnlp", "spawnv", "spawnvp"}

ONE_VARIABLE = {"get", "setdefault", "pop"}
# Where the whole environment is read: the functions that build those of children, and commands that change their own.
READERS = {
    "ops/child_environment.py",
    "ops/sessions.py",
    "ml/runner/training_process.py",
    "cli/doctor.py",  # examines it
    "cli/embedded.py",
    "cli/local.py",
    "ml/jobs/processing/start.py",  # runs in a container, whose environment SageMaker has built
    "embedded_aws/src/embedded_aws/child_environment.py",
    "embedded_aws/src/embedded_aws/cli.py",  # replaces its own by `of_server`
    "embedded_aws/src/embedded_aws/server/app.py",  # adds moto's to its own
    "embedded_aws/src/embedded_aws/pytest_plugin.py",  # cleans that of tests
    # They run on a host of the embedded AWS, whose environment `of_host` has built.
    "embedded_aws/src/embedded_aws/services/sagemaker/workbench/boot.py",
}


def without_environment(text: str) -> list[str]:
    """Return the calls that start a process and do not say what its environment is."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        module, name = node.func.value, node.func.attr
        named = module.id if isinstance(module, ast.Name) else ""
        starts = named == "subprocess" and name in STARTS
        if (starts and "env" not in {k.arg for k in node.keywords}) or (named == "os" and name in REFUSED):
            found.append(f"{named}.{name} in line {node.lineno}")
    return found


def whole_environment(text: str) -> list[int]:
    """Return the lines that read or change os.environ as a whole, and not one variable of it."""
    tree = ast.parse(text)
    single = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) or (isinstance(node, ast.Attribute) and node.attr in ONE_VARIABLE):
            single.add(node.value)
        elif isinstance(node, ast.Compare):
            single.update(node.comparators)
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "environb")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node not in single
    ]


def sources() -> dict[str, str]:
    """Return the sources by path in the repository."""
    files = [
        f
        for place in PLACES
        for f in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}


def test_every_child_process_gets_an_environment():
    found = {path: calls for path, text in sources().items() if (calls := without_environment(text))}
    assert found == {}


def test_the_whole_environment_is_read_in_few_places():
    readers = {path for path, text in sources().items() if whole_environment(text)}
    assert readers - READERS == set()


def test_subprocess_is_imported_as_a_module():
    assert [path for path, text in sources().items() if "from subprocess import" in text] == []


@pytest.mark.parametrize(
    "text",
    ["subprocess.run(['a'])", "subprocess.Popen('a', shell=True)", "os.system('a')"],
)
def test_the_check_finds_a_child_without_environment(text):
    assert without_environment(text)
    assert without_environment("subprocess.run(['a'], env=build('check'))") == []


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("subprocess.run(['a'], env={**os.environ})", True),
        ("kept = {k: v for k, v in os.environ.items()}", True),
        ("a = os.environ", True),
        ("os.environ.update(a)", True),
        ("os.environ['A']", False),
        ("os.environ.get('A', 'b')", False),
        ("'A' in os.environ", False),
    ],
)
def test_the_check_finds_the_whole_environment(text, whole):
    assert bool(whole_environment(text)) == whole
