"""The Python environment of a container, and the files that its Python refuses to change without namespaces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from embedded_aws.processes.isolation import guard, packages

pytestmark = pytest.mark.slow  # starts processes


def test_an_installed_package_is_in_the_environment_of_the_container_only(tmp_path: Path) -> None:
    packages.create(tmp_path / "packages")
    python = tmp_path / "packages/bin/python"
    program = "import sys, moto, embedded_aws, pip; print(sys.prefix); print(sys.path.index(sys.argv[1]))"
    own = next((tmp_path / "packages/lib").iterdir()) / "site-packages"
    done = subprocess.run([python, "-c", program, own], capture_output=True, text=True, check=True)
    prefix, index = done.stdout.splitlines()
    assert prefix == str(tmp_path / "packages")
    inherited = [path for path in sys.path if path.endswith("site-packages")]
    done = subprocess.run(
        [python, "-c", "import sys; print(sys.path.index(sys.argv[1]))", inherited[0]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(index) < int(done.stdout)  # what the container installs comes first


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ("open('{inside}/new', 'w')", True),
        ("open(b'{inside}/new', 'ab')", True),
        ("os.mkdir('{inside}/new')", True),
        ("os.chdir('{inside}'); open('new', 'w')", True),
        ("os.rename('{outside}/file', '{inside}/new')", True),
        ("open('{inside}/file')", False),
        ("open('{inside}/allowed/new', 'w')", False),
        ("open('{outside}/new', 'w')", False),
    ],
)
def test_without_namespaces_python_refuses_changes(tmp_path: Path, change: str, refused: bool) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for path in (inside / "allowed", outside):
        path.mkdir(parents=True)
    (inside / "file").touch()
    (outside / "file").touch()
    program = (
        f"import os, sys; sys.path.insert(0, {str(Path(guard.__file__).parent)!r}); import guard\n"
        f"guard.refuse(({str(inside)!r},), ({str(inside / 'allowed')!r},))\n"
        f"{change.format(inside=inside, outside=outside)}"
    )
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True)
    assert ("Read-only file system" in done.stderr) is refused
    assert (done.returncode != 0) is refused
