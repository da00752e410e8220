"""The script `inv` builds .venv once, or reports why it cannot. Fake Python and pip programs record their calls."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # starts processes

ROOT = Path(__file__).parents[2]

PYTHON = """#!/bin/sh
[ "$1" = -E ] && shift
[ "$1 $2" = "-X utf8" ] && shift 2
case "$1 $2" in
    "-c import sys, venv, ensurepip, tarfile; tarfile.data_filter;"*) exit "${FAKE_TOO_OLD:-0}" ;;
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
    *"-e "*)
        packages=$(dirname "$0")/../lib/python3.12/site-packages
        mkdir -p "$packages"
        for folder; do :; done  # the last argument
        echo "$folder/src" > "$packages/__editable__.embedded_aws-0.1.0.pth" ;;
    "install uv") printf '#!/bin/sh\\necho "uv $*" >> "$FAKE_LOG"\\nexit ${FAKE_UV_EXITS:-0}\\n' > "$(dirname "$0")/uv"; chmod +x "$(dirname "$0")/uv" ;;
esac
"""


class Clone:
    """A folder with the files that `inv` reads."""

    def __init__(self, home: Path):
        self.home, self.log = home / "a clone", home / "log"
        self.home.mkdir()
        shutil.copy(ROOT / "inv", self.home)
        (self.home / "requirements.lock").write_text("boto3==1\n")
        (self.home / "embedded_aws" / "src").mkdir(parents=True)
        (self.home / "embedded_aws" / "pyproject.toml").write_text("[project]\n")
        for name, build in {"torch": "", "torch-cpu": "+cpu"}.items():
            (self.home / f"requirements-{name}.lock").write_text(
                f"torch==2.13.0{build} \\\n    --hash=sha256:1\ntorchvision==0.28.0{build} \\\n    --hash=sha256:2\n"
            )
        tools = home / "tools"
        tools.mkdir()
        for name, text in {"python3": PYTHON, "pip": PIP, "nvidia-smi": "#!/bin/sh\nexit 1\n"}.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.environment = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "FAKE_LOG": str(self.log)}
        self.tools = tools

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        """Start `./inv` with additional environment variables."""
        return subprocess.Popen(
            [str(self.home / "inv"), *arguments],
            env=self.environment | environment,
            text=True,
            cwd=self.home.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def inv(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Run `./inv`. Return its exit status, standard output and standard error."""
        process = self.start(*arguments, **environment)
        out, error = process.communicate(timeout=20)
        return process.returncode, out, error

    @property
    def installed(self) -> list[str]:
        """Calls of pip so far."""
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


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one build of torch")
def test_torch_is_installed_with_hashes_as_the_build_of_this_machine(clone):
    locked = f"pip install --no-deps --require-hashes -r {clone.home}/requirements-torch"
    clone.inv()
    assert clone.installed[0] == f"{locked}-cpu.lock"
    shutil.rmtree(clone.home / ".venv")
    clone.log.unlink()
    (clone.tools / "nvidia-smi").write_text("#!/bin/sh\necho GPU 0\n")
    clone.inv()
    assert clone.installed[0] == f"{locked}.lock"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one build of torch")
def test_uv_finds_the_cpu_build_if_pip_does_not(clone):
    code, _, _ = clone.inv(FAKE_PIP_FAILS=f"hashes -r {clone.home}/requirements-torch-cpu")
    assert code == 0
    assert clone.installed[1] == "pip install uv"
    assert clone.installed[2].startswith("uv pip install --no-deps --require-hashes ")
    assert clone.installed[2].endswith(f"--torch-backend cpu -r {clone.home}/requirements-torch-cpu.lock")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one build of torch")
def test_without_the_index_of_the_cpu_builds_torchvision_comes_from_pypi_and_that_is_reported(clone):
    code, _, error = clone.inv(
        FAKE_PIP_FAILS=f"hashes -r {clone.home}/requirements-torch-cpu", FAKE_UV_EXITS="2"
    )
    assert code == 0
    lock = clone.home / ".venv/without-operators.lock"
    assert clone.installed[3] == f"pip install --no-deps --require-hashes -r {lock}"
    assert lock.read_text() == (
        "torch==2.13.0+cpu \\\n    --hash=sha256:1\ntorchvision==0.28.0 \\\n    --hash=sha256:2\n"
    )
    assert "torchvision has no compiled operators (nms, roi_align)" in error


def test_the_second_call_does_not_build(clone):
    clone.inv()
    before = clone.installed
    code, out, error = clone.inv("--list")
    assert (code, out, error) == (0, f"ran {clone.home} --list\n", "")
    assert clone.installed == before


@pytest.mark.parametrize(
    "file", ["requirements.lock", "requirements-torch.lock", "requirements-torch-cpu.lock"]
)
def test_a_changed_lock_file_rebuilds_the_environment(clone, file):
    clone.inv()
    (clone.home / file).write_text("changed==2\n")
    assert "Building .venv" in clone.inv()[2]
    assert clone.inv()[2] == ""


@pytest.mark.parametrize("transfer", [shutil.move, shutil.copytree])
def test_a_moved_or_copied_folder_builds_its_own_environment(clone, transfer):
    """The package of the embedded AWS is installed by its path: a copy would run the original's code."""
    clone.inv()
    transfer(str(clone.home), str(clone.home.with_name("elsewhere")))
    clone.home = clone.home.with_name("elsewhere")
    assert "Building .venv" in clone.inv()[2]
    assert clone.inv()[2] == ""


def test_an_incomplete_build_is_repeated(clone):
    clone.inv()
    (clone.home / ".venv" / "stamp").unlink()
    assert "Building .venv" in clone.inv()[2]


def test_an_unsuitable_python_is_reported(clone):
    code, out, error = clone.inv("status", FAKE_TOO_OLD="1", PYTHON="python3")
    assert (code, out) == (1, "")
    assert error == (
        "inv: python3 is missing, too old or without module venv: install Python 3.10.12, 3.11.4, or 3.12 or newer, "
        "or set PYTHON=/path/to/python3.\n"
    )
    assert not (clone.home / ".venv").exists()
    assert not (clone.home / ".venv.building").exists()


def test_the_real_check_refuses_a_python_without_the_data_filter(tmp_path):
    """extractall(filter="data") came with 3.10.12 and 3.11.4: an older 3.10 passes a check of its version alone."""
    check = re.search(r"-c '(import sys, venv.*?)'", (ROOT / "inv").read_text()).group(1)
    (tmp_path / "tarfile.py").write_text("")
    old = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
    assert (
        b"data_filter" in subprocess.run([sys.executable, "-c", check], env=old, capture_output=True).stderr
    )


def test_a_missing_python_is_reported(clone):
    code, _, error = clone.inv(PYTHON="/nowhere/python3")
    assert code == 1
    assert "/nowhere/python3 is missing" in error


def test_a_failed_step_is_reported_with_its_output_and_repeated(clone):
    code, out, error = clone.inv(FAKE_PIP_FAILS="/requirements.lock")
    assert (code, out) == (1, "")
    assert "pip could not do that" in error
    assert error.rstrip().endswith("Fix the cause and run the same command again.")
    assert "set-up failed at: the locked packages (full log: .venv/setup.log)" in error
    assert not (clone.home / ".venv.building").exists()
    assert clone.inv()[0] == 0


def test_the_lock_of_a_dead_process_is_removed(clone):
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
    assert process.stderr.readline() == "Waiting for another ./inv that is building .venv.\n"
    stamp.write_text(text)
    shutil.rmtree(lock)
    out, error = process.communicate(timeout=20)
    assert (process.returncode, out, error) == (0, f"ran {clone.home} status\n", "")
