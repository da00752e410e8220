"""What holds for every file: it says its purpose, is short, knows no machine, swallows no error."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
LONGEST = 450  # lines of a module
LONGEST_TEST = 700
TEXT = {".py", ".tf", ".hcl", ".json", ".toml", ".md", ".sh", ".yml", ".yaml", ""}


def _files() -> list[Path]:
    """Tracked and new files, without the ignored ones."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(command, capture_output=True, text=True)
    if told.returncode:
        pytest.skip("not a git checkout", allow_module_level=True)
    paths = [ROOT / name for name in told.stdout.splitlines()]
    return [path for path in paths if path.suffix in TEXT and path.is_file()]


FILES = _files()
MODULES = [path for path in FILES if path.suffix == ".py"]
TREES = {path: ast.parse(path.read_text()) for path in MODULES}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def swallows(module: ast.Module) -> list[int]:
    """Lines of handlers that catch an error and do nothing at all about it."""
    return [
        node.lineno
        for node in ast.walk(module)
        if isinstance(node, ast.ExceptHandler)
        and all(
            isinstance(step, ast.Pass)
            or (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))
            for step in node.body
        )
    ]


def catches_all(module: ast.Module) -> list[int]:
    """Lines of bare `except:`."""
    return [n.lineno for n in ast.walk(module) if isinstance(n, ast.ExceptHandler) and n.type is None]


def test_every_module_says_its_purpose():
    without = [named(p) for p in MODULES if not (ast.get_docstring(TREES[p]) or "").strip()]
    assert without == []


def test_files_are_short():
    lines = {named(path): len(path.read_text().splitlines()) for path in MODULES}
    limit = {name: LONGEST_TEST if "tests/" in name else LONGEST for name in lines}
    assert {name: count for name, count in lines.items() if count > limit[name]} == {}


def test_no_error_is_swallowed():
    found = [f"{named(p)}:{line}" for p in MODULES for line in swallows(TREES[p]) + catches_all(TREES[p])]
    assert found == []


def test_the_check_itself_sees_a_swallowed_error():
    assert swallows(ast.parse("try:\n    x\nexcept OSError:\n    pass\n")) == [3]
    assert swallows(ast.parse("try:\n    x\nexcept OSError:\n    ...\n")) == [3]
    assert swallows(ast.parse("try:\n    x\nexcept OSError:\n    y()\n")) == []
    assert catches_all(ast.parse("try:\n    x\nexcept:\n    y()\n")) == [3]


def test_no_file_knows_the_machine_it_was_written_on():
    """No absolute path of a home or of this checkout."""
    machine = re.compile(rf"/home/(?!user\b)\w+/|/Users/\w+/|/root/|{re.escape(str(ROOT))}/")
    found = [
        f"{named(p)}: {match.group()}"
        for p in FILES
        if p != Path(__file__)
        for match in machine.finditer(p.read_text())
    ]
    assert found == []


def test_no_account_and_no_key_is_in_the_repository():
    """Numbers of accounts other than the documented example and AWS's own registries; access keys."""
    known = {"123456789012", "763104351884"}
    secret = re.compile(r"(?<![\w-])(?:AKIA|ASIA)[A-Z0-9]{16}(?!\w)")
    account = re.compile(r"arn:aws[\w-]*:\w*:[\w-]*:(\d{12}):")
    for path in FILES:
        text = path.read_text()
        keys = {key for key in secret.findall(text) if "EXAMPLE" not in key and len(set(key[4:])) > 1}
        assert keys == set(), named(path)
        if not path.is_relative_to(ROOT / "tests"):
            assert set(account.findall(text)) <= known, named(path)


def test_nothing_is_left_to_do():
    marker = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
    assert [named(p) for p in FILES if marker.search(p.read_text())] == []


# ---- dependencies ----


def test_the_lock_has_the_pinned_versions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    wanted = [
        *project["project"]["dependencies"],
        *(r for name in ("local", "dev", "torch-requirements") for r in groups[name]),
    ]
    locked = dict(
        re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (ROOT / "requirements.lock").read_text(), re.M)
    )
    for requirement in wanted:
        name, exact = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(?:==([^\s;]+))?", requirement).groups()
        assert name.lower() in locked, requirement
        if exact:
            assert locked[name.lower()] == exact, requirement


def test_the_lock_has_a_hash_for_everything():
    entries = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text().strip())
    assert len(entries) > 50
    assert [e.splitlines()[0] for e in entries if "--hash=sha256:" not in e] == []


def test_torch_is_left_to_inv():
    """It installs the build that fits the machine."""
    assert not re.search(r"^torch==", (ROOT / "requirements.lock").read_text(), re.M)
    (torch,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["torch"]
    assert re.fullmatch(r"torch==[0-9.]+", torch)


# ---- the way in ----


def test_ci_runs_the_readme_s_test_command():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().rstrip().endswith("exec ./inv test")


def test_inv_is_executable():
    assert (ROOT / "inv").stat().st_mode & 0o111


@pytest.mark.parametrize("command", [["check", "--quiet"], ["format", "--check", "--quiet"]])
def test_ruff_has_nothing_to_say(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
