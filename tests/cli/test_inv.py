"""The script `inv`, with a fake Python and pip that log their calls: it builds .venv once, and reports failures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PYTHON = """#!/bin/sh
case "$1 $2" in
    "-c import sys, venv"*) exit "${FAKE_TOO_OLD:-0}" ;;
    "--version "*) echo "Python 3.12.0" ;;
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$(dirname "$0")/pip" "$3/bin/pip" ;;
    "-c import sys; sys.path"*) shift 2; echo "ran $*" ;;
    *) echo "unexpected: $*"; exit 9 ;;
esac
"""
PIP = """#!/bin/sh
echo "pip $*" >> "$FAKE_LOG"
case "$*" in
    *"${FAKE_PIP_FAILS:-nothing}"*) echo "pip could not do that"; exit 1 ;;
    "install uv") printf '#!/bin/sh\\necho "uv $*" >> "$FAKE_LOG"\\n' > "$(dirname "$0")/uv"; chmod +x "$(dirname "$0")/uv" ;;
esac
"""


class Clone:
    """A clone of the repository with the files that `inv` reads."""

    def __init__(self, home: Path):
        self.home, self.log = home / "a clone", home / "log"
        self.home.mkdir()
        shutil.copy(ROOT / "inv", self.home)
        (self.home / "requirements.lock").write_text("boto3==1\n")
        (self.home / "embedded_aws").mkdir()
        (self.home / "embedded_aws" / "pyproject.toml").write_text("[project]\n")
        self.torch("2.13.0")
        tools = home / "tools"
        tools.mkdir()
        for name, text in {"python3": PYTHON, "pip": PIP, "nvidia-smi": "#!/bin/sh\nexit 1\n"}.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "FAKE_LOG": str(self.log)}
        self.tools = tools

    def torch(self, version: str) -> None:
        (self.home / "pyproject.toml").write_text(f'[dependency-groups]\ntorch = ["torch=={version}"]\n')

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [str(self.home / "inv"), *arguments],
            env=self.environment | environment,
            text=True,
            cwd=self.home.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def inv(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **environment)
        out, error = process.communicate(timeout=20)
        return process.returncode, out, error

    @property
    def installed(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def clone(tmp_path) -> Clone:
    return Clone(tmp_path)


def test_the_script_is_posix_shell():
    subprocess.run(["sh", "-n", str(ROOT / "inv")], check=True)


def test_the_first_call_builds_and_runs(clone):
    code, out, error = clone.inv("status", "--env", "dev test")
    assert (code, out) == (0, f"ran {clone.home} status --env dev test\n")
    assert "Building .venv with Python 3.12.0" in error
    assert "the locked packages" in error
    lock = f"pip install --no-deps --require-hashes -r {clone.home}/requirements.lock"
    own = f"pip install --no-deps --no-build-isolation --no-index -e {clone.home}/embedded_aws"
    assert clone.installed[-2:] == [lock, own]
    assert not (clone.home / ".venv.building").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="torch has one build elsewhere")
def test_the_build_of_torch_matches_the_machine(clone):
    clone.inv()
    assert clone.installed[0] == "pip install --no-deps torch==2.13.0+cpu"
    shutil.rmtree(clone.home / ".venv")
    clone.log.unlink()
    (clone.tools / "nvidia-smi").write_text("#!/bin/sh\necho GPU 0\n")
    clone.inv()
    assert clone.installed[0] == "pip install --no-deps torch==2.13.0"


@pytest.mark.skipif(sys.platform != "linux", reason="torch has one build elsewhere")
def test_uv_finds_the_cpu_build_that_pip_does_not_have(clone):
    code, _, _ = clone.inv(FAKE_PIP_FAILS="+cpu")
    assert code == 0
    assert any(
        call.startswith("uv pip install") and "--torch-backend cpu torch==2.13.0" in call
        for call in clone.installed
    )


def test_the_second_call_does_not_build(clone):
    clone.inv()
    before = clone.installed
    code, out, error = clone.inv("--list")
    assert (code, out, error) == (0, f"ran {clone.home} --list\n", "")
    assert clone.installed == before


@pytest.mark.parametrize("what", ["lock", "torch"])
def test_new_dependencies_are_built(clone, what):
    clone.inv()
    if what == "lock":
        (clone.home / "requirements.lock").write_text("boto3==2\n")
    else:
        clone.torch("2.14.0")
    assert "Building .venv" in clone.inv()[2]
    assert clone.inv()[2] == ""


def test_an_unfinished_build_is_not_used(clone):
    clone.inv()
    (clone.home / ".venv" / "stamp").unlink()
    assert "Building .venv" in clone.inv()[2]


def test_an_old_python_is_refused(clone):
    code, out, error = clone.inv("status", FAKE_TOO_OLD="1", PYTHON="python3")
    assert (code, out) == (1, "")
    assert error == (
        "inv: Python 3.10 or newer with its venv module is needed, and python3 is not one: install it, or name one "
        "with PYTHON=/path/to/python3.\n"
    )
    assert not (clone.home / ".venv").exists()
    assert not (clone.home / ".venv.building").exists()


def test_a_missing_python_is_refused(clone):
    code, _, error = clone.inv(PYTHON="/nowhere/python3")
    assert code == 1
    assert "/nowhere/python3 is not one" in error


def test_a_failed_step_shows_its_output_and_is_repeated(clone):
    code, out, error = clone.inv(FAKE_PIP_FAILS="--require-hashes")
    assert (code, out) == (1, "")
    assert "pip could not do that" in error
    assert error.rstrip().endswith("Mend the cause and run the same command again.")
    assert "set-up stopped at: the locked packages (whole log: .venv/setup.log)" in error
    assert not (clone.home / ".venv.building").exists()
    assert clone.inv()[0] == 0


def test_the_lock_of_an_ended_process_is_replaced(clone):
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = clone.home / ".venv.building"
    lock.mkdir()
    (lock / "pid").write_text(str(dead.pid))
    code, out, error = clone.inv("status")
    assert (code, out) == (0, f"ran {clone.home} status\n")
    assert "Waiting" not in error
    assert not lock.exists()


def test_a_concurrent_first_call_waits_and_does_not_build(clone, until):
    clone.inv()
    stamp = clone.home / ".venv" / "stamp"
    text = stamp.read_text()
    stamp.unlink()  # as if another call were still building
    lock = clone.home / ".venv.building"
    lock.mkdir()
    (lock / "pid").write_text(str(os.getpid()))
    process = clone.start("status")
    assert process.stderr.readline() == "Waiting for another ./inv, which is building .venv.\n"
    stamp.write_text(text)
    shutil.rmtree(lock)
    out, error = process.communicate(timeout=20)
    assert (process.returncode, out, error) == (0, f"ran {clone.home} status\n", "")
