"""Dependencies point one way: what each part of the repository may import, read from the sources."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"cli", "pipeline", "ops", "ml", "embedded_aws", "lambda_function", "tasks", "tests"}

# What the files of a folder may import of ours, as dotted prefixes. Flat folders import their own files by bare name.
ARROWS = {
    "ops": {"ops"},
    "ml/jobs": {"ml.jobs", "ml.runner", "ops"},
    "pipeline": {"pipeline", "ml.jobs", "ml.runner", "ops", "embedded_aws"},
    "ml/runner": {"ml.runner"},
    "ml/container": set(),
    "lambda_function": set(),
    "embedded_aws/src": {"embedded_aws"},
    "cli": {"cli", "pipeline", "ops", "ml.jobs", "embedded_aws"},
    "tasks.py": {"cli", "pipeline", "ops", "ml.jobs", "embedded_aws"},
}
# What stands alone may import beside the standard library, because its image or runtime has it.
PROVIDED = {
    "ml/runner": {"boto3", "botocore"},
    "ml/container": {"PIL", "fastapi", "numpy", "ray", "torch", "torchvision", "starlette"},
    "lambda_function": {"boto3", "botocore"},
}
# How code would ask whether it is local. The answer would be a second way of doing things.
LOCALITY = ("embedded_aws", "embedded_aws", "localhost", "127.0.0.1")


def sources(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def imports(text: str, package: str = "") -> set[str]:
    """Dotted names of all that a source imports, at any depth. package: of the source, for relative imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: -node.level + 1 or None]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            # `from ml import jobs` imports ml.jobs.
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def package_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])


def strays(text: str, allowed: set[str], package: str = "") -> set[str]:
    """Imports of ours that are not allowed."""
    return {
        name
        for name in imports(text, package)
        if name.split(".")[0] in OURS and not any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed)
    }


@pytest.mark.parametrize("place", ARROWS)
def test_imports_follow_the_arrows(place):
    assert sources(place)
    found = {
        str(path.relative_to(ROOT)): strays(path.read_text(), ARROWS[place], package_of(path))
        for path in sources(place)
    }
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("place", PROVIDED)
def test_what_stands_alone_imports_itself_the_library_and_what_its_image_has(place):
    known = PROVIDED[place] | set(sys.stdlib_module_names) | {path.stem for path in sources(place)}
    found = {
        f"{path.name}: {name}"
        for path in sources(place)
        for name in imports(path.read_text(), package_of(path))
        if name.split(".")[0] not in known and not name.startswith(place.replace("/", "."))
    }
    assert found == set()


@pytest.mark.parametrize("place", ["ml", "lambda_function", "ops", "terraform", "policies"])
def test_nothing_asks_whether_it_is_local(place):
    allowed = {
        ("ops/settings/__init__.py", "embedded_aws"),  # the operator's choice; only the tasks read it
        ("ml/container/environment.py", "localhost"),  # the only host where no cluster is named
        ("terraform/modules/workbench/scripts/stop_when_idle.py", "localhost"),  # asks Jupyter beside it
    }
    suffixes = {".py", ".tf", ".json", ".hcl", ".sh"}
    found = {
        (str(path.relative_to(ROOT)), word)
        for path in sorted((ROOT / place).rglob("*"))
        if path.suffix in suffixes
        for word in LOCALITY
        if word in path.read_text()
    }
    assert found - allowed == set()


def test_only_the_tasks_read_embedded_aws():
    readers = {
        str(path.relative_to(ROOT))
        for place in ("cli", "pipeline", "ops", "ml", "lambda_function", "tasks.py")
        for path in sources(place)
        if any(
            isinstance(node, ast.Attribute) and node.attr == "embedded_aws"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert readers == {"cli/plan_report.py", "cli/task.py", "tasks.py"}


@pytest.mark.parametrize(
    ("text", "allowed", "stray"),
    [
        ("from ops import errors", {"ops"}, set()),
        ("import boto3", set(), set()),
        ("from embedded_aws import client", {"ops"}, {"embedded_aws.client"}),
        ("def f():\n    import embedded_aws.client", {"ops"}, {"embedded_aws.client"}),
        ("from ml import container", {"ml.jobs"}, {"ml.container"}),
        ("from ml.jobs import data", {"ml.jobs"}, set()),
        ("import opsgenie", set(), set()),
    ],
)
def test_the_check_itself_sees_a_stray_import(text, allowed, stray):
    assert strays(text, allowed) == stray


def test_the_check_itself_resolves_relative_imports():
    assert imports("from . import b", "ml.jobs") == {"ml.jobs.b"}
    assert imports("from ..container import b", "ml.jobs") == {"ml.container.b"}
