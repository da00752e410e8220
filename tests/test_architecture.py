"""Dependencies point one way and have no circles. Read from the imports in the sources."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"cli", "pipeline", "ops", "ml", "embedded_aws", "lambda_function", "tasks", "tests"}

# The modules of ours that the files of a folder may import, as dotted prefixes.
ARROWS = {
    "ops": {"ops"},
    # Of the container: the decoder, which needs Pillow only, and constants.
    "ml/jobs": {"ml.jobs", "ml.runner", "ml.container.images", "ml.container.serving_interface", "ops"},
    "pipeline": {"pipeline", "ml.jobs", "ml.container.images", "ops"},
    "ml/runner": {"ml.runner"},
    "ml/container": set(),
    "lambda_function": set(),
    "embedded_aws/src": {"embedded_aws"},
    "cli": {"cli", "pipeline", "ops", "embedded_aws.client"},
    "tasks.py": {"cli"},
}
# The packages that folders may import which run in an image or a runtime.
PROVIDED = {
    "ml/runner": {"boto3", "botocore"},
    # timm and its safetensors are in images that the operator extends; timm_models.py alone imports them.
    "ml/container": {
        "PIL",
        "fastapi",
        "numpy",
        "ray",
        "safetensors",
        "starlette",
        "timm",
        "torch",
        "torchvision",
    },
    "lambda_function": {"boto3", "botocore"},
}
# Folders whose files import each other by bare name, as they do in their image or runtime.
FLAT = ("ml/container", "lambda_function")
FOLDERS = ("ops", "ml", "pipeline", "cli", "tests", "embedded_aws/tests")
# How code could ask whether it runs locally, to do something else then.
LOCALITY = ("embedded_aws", "localhost", "127.0.0.1")


def sources(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def imports(text: str, package: str = "") -> set[str]:
    """Return the dotted names of all imports, also in functions and for type checking.

    package: of the source, for relative imports.
    """
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


def package_of(path: Path, root: Path = ROOT) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts[:-1])


def strays(text: str, allowed: set[str], package: str = "") -> set[str]:
    """Return the imports of ours that are not allowed."""
    return {
        name
        for name in imports(text, package)
        if name.split(".")[0] in OURS and not any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed)
    }


def graph(files: list[Path], root: Path) -> dict[str, set[str]]:
    """Return the modules that each module imports, of those in `files`. root: of their dotted names."""
    modules = {}
    for path in files:
        parts = path.relative_to(root).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: set(_imported(path, root, modules)) - {name} for name, path in modules.items()}


def _imported(path: Path, root: Path, modules: dict[str, Path]) -> Iterator[str]:
    for name in imports(path.read_text(encoding="utf-8"), package_of(path, root)):
        # `from ops.errors import OperatorError` imports ops.errors.
        for candidate in (name, name.rpartition(".")[0]):
            if candidate in modules:
                yield candidate
                break


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle; empty if there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("place", ARROWS)
def test_imports_follow_the_arrows(place):
    assert sources(place)
    found = {
        str(path.relative_to(ROOT)): strays(path.read_text(), ARROWS[place], package_of(path))
        for path in sources(place)
    }
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("folder", [*FOLDERS, "embedded_aws/src"])
def test_no_folder_has_an_import_circle(folder):
    root = ROOT / folder if folder in (*FLAT, "embedded_aws/src", "embedded_aws/tests") else ROOT
    files = [path for path in sources(folder) if folder != "ml" or "container" not in path.parts]
    edges = graph(files, root)
    assert any(edges.values())
    assert circle(edges) == []


@pytest.mark.parametrize("folder", FLAT)
def test_no_flat_folder_has_an_import_circle(folder):
    edges = graph(sources(folder), ROOT / folder)
    assert any(edges.values())
    assert circle(edges) == []


@pytest.mark.parametrize("place", PROVIDED)
def test_standalone_folders_import_only_the_library_and_what_their_image_has(place):
    known = PROVIDED[place] | set(sys.stdlib_module_names) | {path.stem for path in sources(place)}
    found = {
        f"{path.name}: {name}"
        for path in sources(place)
        for name in imports(path.read_text(), package_of(path))
        if name.split(".")[0] not in known and not name.startswith(place.replace("/", "."))
    }
    assert found == set()


@pytest.mark.parametrize("place", ["ml", "pipeline", "lambda_function", "ops", "terraform", "policies"])
def test_nothing_asks_whether_it_runs_locally(place):
    allowed = {
        ("ops/settings/__init__.py", "embedded_aws"),  # the operator's choice, which only `cli` reads
        ("ops/credential_server.py", "127.0.0.1"),  # serves this command's child processes
        ("ml/container/environment.py", "localhost"),  # the only host of a training without a cluster
        ("terraform/modules/workbench/scripts/stop_when_idle.py", "localhost"),  # calls Jupyter on its host
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


def test_only_the_command_line_reads_the_setting_embedded_aws():
    readers = {
        str(path.relative_to(ROOT))
        for place in ("cli", "pipeline", "ops", "ml", "lambda_function", "tasks.py")
        for path in sources(place)
        if any(
            isinstance(node, ast.Attribute) and node.attr == "embedded_aws"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert readers == {
        f"cli/{name}.py" for name in ("confirm", "doctor", "embedded", "pipeline", "task", "terraform")
    }


def test_the_collection_of_tasks_defines_nothing():
    body = ast.parse((ROOT / "tasks.py").read_text()).body
    assert {type(node) for node in body[1:]} == {ast.ImportFrom, ast.Assign}


@pytest.mark.parametrize(
    ("text", "allowed", "stray"),
    [
        ("from ops import errors", {"ops"}, set()),
        ("import boto3", set(), set()),
        ("from embedded_aws import client", {"ops"}, {"embedded_aws.client"}),
        ("from embedded_aws import iam", {"embedded_aws.client"}, {"embedded_aws.iam"}),
        ("def f():\n    import embedded_aws.client", {"ops"}, {"embedded_aws.client"}),
        ("from ml import container", {"ml.jobs"}, {"ml.container"}),
        ("from ml.jobs import data", {"ml.jobs"}, set()),
        ("import opsgenie", set(), set()),
    ],
)
def test_the_check_finds_a_stray_import(text, allowed, stray):
    assert strays(text, allowed) == stray


def test_the_check_resolves_relative_imports():
    assert imports("from . import b", "ml.jobs") == {"ml.jobs.b"}
    assert imports("from ..container import b", "ml.jobs") == {"ml.container.b"}


@pytest.mark.parametrize(
    "back",
    [
        "from p import a",
        "from p.a import function",
        "from . import a",
        "def f():\n    from p import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.a import Type",
    ],
)
def test_the_check_finds_a_circle(tmp_path, back):
    package = tmp_path / "p"
    package.mkdir()
    for name, text in {"__init__": "", "a": "from p import b", "b": "import p.c", "c": back}.items():
        (package / f"{name}.py").write_text(text)
    assert set(circle(graph(sorted(package.glob("*.py")), tmp_path))) == {"p.a", "p.b", "p.c"}
    (package / "c.py").write_text("import json")
    assert circle(graph(sorted(package.glob("*.py")), tmp_path)) == []
