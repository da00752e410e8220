"""Imports of the package: no circles, nothing of the repository around it, one folder for each service in the table."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import embedded_aws
from embedded_aws import services
from embedded_aws.services import SERVICES, Source

PACKAGE = Path(embedded_aws.__file__).parent
NEIGHBORS = {"cli", "pipeline", "ops", "ml", "lambda_function", "tasks", "tests", "policies"}
Graph = dict[str, set[str]]


def sources() -> dict[str, str]:
    """Return the text of every module by its dotted name. Packages have the name of their folder."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ("embedded_aws", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def imported(text: str) -> Iterator[str]:
    """Yield dotted names that a source imports: at the top, in functions and under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def graph(texts: dict[str, str]) -> Graph:
    """Return which modules each module imports, of those in `texts`."""
    edges: Graph = {}
    for name, text in texts.items():
        wanted = (target if target in texts else target.rpartition(".")[0] for target in imported(text))
        edges[name] = {target for target in wanted if target in texts}
    return edges


def circles(edges: Graph) -> list[list[str]]:
    """Return groups of modules that import each other, directly or through others."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for target in edges[waiting.pop()] - seen:
                seen.add(target)
                waiting.append(target)
        return seen

    reach = {name: reachable(name) for name in edges}
    groups = {frozenset(other for other in reach[name] if name in reach[other]) for name in edges}
    return sorted(sorted(group) for group in groups if group)


def test_there_are_no_import_circles() -> None:
    edges = graph(sources())
    assert len(edges) > 100 and "embedded_aws.runtime" in edges["embedded_aws.iam.gate"]
    assert circles(edges) == []


@pytest.mark.parametrize(
    "text",
    [
        "from p import b",
        "import p.b",
        "def f():\n    from p.b import c",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.b import C",
    ],
)
def test_circles_are_found_at_every_level(text: str) -> None:
    edges = graph({"p.a": text, "p.b": "from p.c import x", "p.c": "from p import a", "p.d": "import p.a"})
    assert circles(edges) == [["p.a", "p.b", "p.c"]]


def neighbors(text: str) -> set[str]:
    """Return the imports of the repository around the package."""
    return {name for name in imported(text) if name.split(".")[0] in NEIGHBORS}


def test_package_and_tests_import_nothing_of_the_repository_around_them() -> None:
    tests = {str(path): path.read_text() for path in Path(__file__).parent.rglob("*.py")}
    found = {name: neighbors(text) for name, text in (sources() | tests).items()}
    assert {name: names for name, names in found.items() if names} == {}
    assert neighbors("def f():\n    from ops import aws\n    import embedded_aws") == {"ops.aws"}


def test_the_client_imports_only_the_standard_library_at_the_top() -> None:
    """Commands that only ask for the status must not wait for moto to load."""
    texts, waiting, seen = sources(), ["embedded_aws.client", "embedded_aws.cli"], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for node in ast.parse(texts[name]).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for target in imported(ast.unparse(node)):
                    module = target if target in texts else target.rpartition(".")[0]
                    if module in texts:
                        waiting += [] if module in seen else [module]
                    else:
                        assert target.split(".")[0] in sys.stdlib_module_names, (name, target)
    assert "embedded_aws.server_process" in seen


def test_the_core_does_not_import_services() -> None:
    edges = graph(sources())
    assert {t for t in edges["embedded_aws.runtime"] if ".services" in t or ".iam" in t} == set()
    iam = {t for name, targets in edges.items() if name.startswith("embedded_aws.iam") for t in targets}
    assert {t for t in iam if t.startswith(("embedded_aws.services", "embedded_aws.server."))} == set()


def test_the_service_table_names_exactly_the_folders_that_exist() -> None:
    folders = {path.parent.name for path in Path(services.__file__).parent.glob("*/__init__.py")}
    assert {service.folder for service in SERVICES if service.folder} == folders
    for service in SERVICES:
        assert bool(service.folder) == (service.source is not Source.MOTO), service.name
        if service.folder:
            assert (PACKAGE / "services" / service.folder / "provider.py").exists()


def test_no_function_rebinds_a_module_global() -> None:
    """Shared objects belong to the runtime: a second server in the process must not see those of the first."""
    rebinding = {
        name
        for name, text in sources().items()
        if any(isinstance(node, ast.Global) for node in ast.walk(ast.parse(text)))
    }
    assert rebinding == set()
