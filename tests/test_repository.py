"""Rules for every file: purpose, length, plain English, no machine paths, no swallowed errors; dependencies and CI."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
MODULE_LINES = 400
FUNCTION_LINES = 60
TEXT = {".py", ".tf", ".hcl", ".json", ".toml", ".md", ".sh", ".yml", ".yaml", ".ipynb", ".j2", ""}
# Words of the dialect that this repository was first written in, and British spellings.
DIALECT = re.compile(
    r"hand-?overs?\b|\bhand(?:s|ed) over\b|\bmend(?:s|ed)?\b|\bwhoever\b|\bby hand\b|rehears|\btold\b|\btakes? up where\b"
    r"|\bone's own\b|\bgoes on\b|colour|(?<!interruption_)behaviour|favour|neighbour|\blicence|catalogue"
    r"|(?:initial|serial|normal|optim|recogn|organ|summar|token)is(?:e|ing|ation)",
    re.IGNORECASE,
)
# Files and folders that may still break a rule. Remove an entry once it keeps the rule; add none.
LONG_MODULES: set[str] = set()
LONG_FUNCTIONS = {
    "embedded_aws/tests/iam/test_ec2.py",
    "embedded_aws/tests/services/sagemaker/workbench/test_notebooks.py",
    "embedded_aws/tests/state/test_snapshot.py",
}


def _files() -> list[Path]:
    """Return tracked and new text files, without ignored ones."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout", allow_module_level=True)
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.suffix in TEXT and path.is_file()]


FILES = _files()
STARTERS = ("run", "Popen", "check_output")  # of subprocess
MODULES = [path for path in FILES if path.suffix == ".py"]


@cache
def _tree(path: Path) -> ast.Module:
    """Parse a module. Not at import, because every worker of pytest-xdist imports this file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def named(path: Path) -> str:
    """Return the path in the repository."""
    return str(path.relative_to(ROOT))


def swallows(module: ast.Module) -> list[int]:
    """Return the lines of handlers that catch an error and do nothing."""
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
    """Return the lines of bare `except:`."""
    return [n.lineno for n in ast.walk(module) if isinstance(n, ast.ExceptHandler) and n.type is None]


def long_functions(module: ast.Module) -> list[str]:
    """Return the names of functions that have more than FUNCTION_LINES lines."""
    return [
        node.name
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES
    ]


def pending(name: str, exempt: set[str]) -> bool:
    """Return whether a file may still break a rule."""
    return any(name == entry or (entry.endswith("/") and name.startswith(entry)) for entry in exempt)


def test_every_module_has_a_docstring():
    without = [named(p) for p in MODULES if not (ast.get_docstring(_tree(p)) or "").strip()]
    assert without == []


def test_modules_are_short():
    lines = {named(path): len(path.read_text().splitlines()) for path in MODULES}
    long = {name: n for name, n in lines.items() if n > MODULE_LINES and not pending(name, LONG_MODULES)}
    assert long == {}


def test_functions_are_short():
    found = {named(p): long for p in MODULES if (long := long_functions(_tree(p)))}
    assert {name: long for name, long in found.items() if not pending(name, LONG_FUNCTIONS)} == {}


def test_formatting_has_no_exceptions():
    marker = re.compile(r"#\s*fmt:" r"\s*(?:skip|off)")
    assert [named(p) for p in FILES if marker.search(p.read_text())] == []


def test_texts_are_in_plain_english():
    found = [
        f"{named(path)}:{number}: {match.group()}"
        for path in FILES
        # The changelog lists the names that were replaced.
        if path not in (Path(__file__), ROOT / "CHANGELOG.md") and not path.name.endswith(".lock")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for match in DIALECT.finditer(line)
    ]
    assert found == []


def test_the_rules_detect_long_functions_and_dialect():
    body = "    x\n" * FUNCTION_LINES
    assert long_functions(ast.parse(f"def long():\n{body}")) == ["long"]
    assert long_functions(ast.parse(f"def short():\n{body[6:]}")) == []
    for text in ("Mend the cause", "a hand-over", "handover.tf", "as it was told", "the rehearsal", "colour"):
        assert DIALECT.search(text), text
    for text in ("recommended", "comment", "optimizer", "organization", "a handle", "by handing"):
        assert not DIALECT.search(text), text


def test_no_error_is_swallowed():
    found = [f"{named(p)}:{line}" for p in MODULES for line in swallows(_tree(p)) + catches_all(_tree(p))]
    assert found == []


def test_the_rule_detects_a_swallowed_error():
    assert swallows(ast.parse("try:\n    x\nexcept OSError:\n    pass\n")) == [3]
    assert swallows(ast.parse("try:\n    x\nexcept OSError:\n    ...\n")) == [3]
    assert swallows(ast.parse("try:\n    x\nexcept OSError:\n    y()\n")) == []
    assert catches_all(ast.parse("try:\n    x\nexcept:\n    y()\n")) == [3]


def test_no_file_has_a_path_of_a_developer_s_machine():
    """Home folders and this checkout."""
    machine = re.compile(rf"/home/(?!user\b)\w+/|/Users/\w+/|/root/|{re.escape(str(ROOT))}/")
    found = [
        f"{named(p)}: {match.group()}"
        for p in FILES
        if p != Path(__file__)
        for match in machine.finditer(p.read_text())
    ]
    assert found == []


def test_no_account_id_or_access_key_is_in_the_repository():
    """Only the account of AWS's documentation and that of the image registry are known."""
    known = {"123456789012", "763104351884"}
    secret = re.compile(r"(?<![\w-])(?:AKIA|ASIA)[A-Z0-9]{16}(?!\w)")
    account = re.compile(r"arn:aws[\w-]*:\w*:[\w-]*:(\d{12}):")
    for path in FILES:
        text = path.read_text()
        keys = {key for key in secret.findall(text) if "EXAMPLE" not in key and len(set(key[4:])) > 1}
        assert keys == set(), named(path)
        if not path.is_relative_to(ROOT / "tests"):
            assert set(account.findall(text)) <= known, named(path)


def test_no_file_has_a_to_do_marker():
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


@pytest.mark.parametrize("lock", sorted(ROOT.glob("requirements*.lock")), ids=lambda path: path.name)
def test_every_locked_package_has_a_hash(lock):
    entries = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text().strip())
    assert entries
    assert [e.splitlines()[0] for e in entries if "--hash=sha256:" not in e] == []


def test_torch_and_torchvision_are_locked_together_in_files_of_their_own():
    """`inv` installs the builds that fit the machine, of one version and from one index."""

    def locked(name: str) -> list[str]:
        return re.findall(r"^(torch(?:vision)?==\S+)", (ROOT / name).read_text(), re.M)

    pair = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["torch"]
    assert [requirement.partition("==")[0] for requirement in pair] == ["torch", "torchvision"]
    assert locked("requirements.lock") == []
    assert locked("requirements-torch.lock") == pair
    assert locked("requirements-torch-cpu.lock") == [f"{requirement}+cpu" for requirement in pair]


def test_common_packages_have_the_same_version_in_both_locks():
    """torch's lock file is installed first, requirements.lock over it."""

    def locked(name: str) -> set[str]:
        return set(re.findall(r"^[A-Za-z0-9._-]+==[^\\\n]+", (ROOT / name).read_text(), re.M))

    common = {entry.partition("==")[0] for entry in locked("requirements.lock")}
    both = {e for e in locked("requirements-torch.lock") if e.partition("==")[0] in common}
    assert both and both <= locked("requirements.lock")


# ---- entry points ----


def test_ci_runs_the_readme_s_test_command():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().rstrip().endswith("exec ./inv test")


def test_inv_is_executable():
    assert (ROOT / "inv").stat().st_mode & 0o111


@pytest.mark.parametrize("command", [["check", "--quiet"], ["format", "--check", "--quiet"]])
def test_ruff_passes(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_clone_with_carriage_returns_configured_has_the_same_bytes(tmp_path):
    clone = ["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", "clone", "-q", "--depth", "1"]
    subprocess.run([*clone, f"file://{ROOT}", str(tmp_path / "clone")], check=True)
    files = [path for path in (tmp_path / "clone").rglob("*") if path.is_file() and ".git" not in path.parts]
    files = [path for path in files if path.suffix != ".png"]  # the format begins with a carriage return
    assert len(files) > 100
    assert [path for path in files if b"\r\n" in path.read_bytes()] == []


def without_encoding(module: ast.Module) -> list[int]:
    """Return the lines of calls that read or write text in the encoding of the machine's locale.

    ruff's rule finds only those whose object it knows to be a path.
    """
    return [
        call.lineno
        for call in ast.walk(module)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and not any(keyword.arg in ("encoding", None) for keyword in call.keywords)
        and (
            call.func.attr in ("read_text", "write_text")
            or any(
                k.arg in ("text", "universal_newlines") for k in call.keywords if call.func.attr in STARTERS
            )
        )
    ]


@pytest.mark.parametrize(
    "line", ["path.read_text()", "path.write_text(text)", "subprocess.run(command, text=True)"]
)
def test_text_without_an_encoding_is_found(line):
    assert without_encoding(ast.parse(line)) == [1]


def test_text_is_read_and_written_with_an_encoding():
    product = [path for path in MODULES if "tests" not in path.relative_to(ROOT).parts]
    found = {named(path): lines for path in product if (lines := without_encoding(_tree(path)))}
    assert found == {}
