"""The wheels of a workbench: which of the lock an image needs, and how they are fetched and kept."""

import re
import subprocess
from types import SimpleNamespace

import pytest

from ml.jobs import wheels
from ops.errors import OperatorError
from ops.paths import ROOT

LOCK = """\
boto3==1 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
numpy==2.2 ; python_full_version < '3.11' \\
    --hash=sha256:ba
numpy==2.4 ; python_full_version >= '3.11' and sys_platform == 'linux' \\
    --hash=sha256:ca
pywin32==3 ; sys_platform == 'win32' \\
    --hash=sha256:da
"""


def quiet(text: str) -> None:
    pass


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """The calls of pip, which leaves one wheel; `fails` makes it fail."""
    calls = SimpleNamespace(commands=[], asked=[], fails="")

    def run(command, **options):
        asked = next(word.partition("=")[2] for word in command if word.startswith("--requirement="))
        folder = next(word.partition("=")[2] for word in command if word.startswith("--dest="))
        calls.commands.append(command)
        calls.asked.append(wheels.Path(asked).read_text())
        (wheels.Path(folder) / f"numpy-{len(calls.commands)}.whl").write_text("")
        return SimpleNamespace(returncode=bool(calls.fails), stderr=f"WARNING: x\n{calls.fails}\n")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(wheels, "WORK", tmp_path)
    return calls


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "requirements.lock"
    path.write_text(LOCK)
    return path


def test_an_image_gets_its_own_versions_with_their_hashes():
    assert wheels.requirements(wheels.Image("3.10", 34), LOCK) == (
        "boto3==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab\nnumpy==2.2 \\\n    --hash=sha256:ba\n"
    )
    assert "numpy==2.4 \\\n" in wheels.requirements(wheels.Image("3.12", 35), LOCK)


def test_wheels_are_fetched_for_each_image_and_only_once(pip, lock):
    folder = wheels.folder("studio", quiet, lock)
    assert sorted(path.name for path in folder.iterdir()) == ["numpy-1.whl", "numpy-2.whl"]
    assert [re.findall(r"--python-version=(\S+)", " ".join(c)) for c in pip.commands] == [["3.11"], ["3.12"]]
    assert all({"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(c) for c in pip.commands)
    assert wheels.folder("studio", quiet, lock) == folder and len(pip.commands) == 2
    lock.write_text(LOCK.replace("boto3==1 ", "boto3==2 "))
    assert wheels.folder("studio", quiet, lock) != folder


def test_no_wheel_needs_a_newer_c_library_than_the_image_has(pip, lock):
    wheels.folder("notebook", quiet, lock)
    minors = {int(n) for n in re.findall(r"--platform=manylinux_2_(\d+)_x86_64", " ".join(pip.commands[0]))}
    assert minors == set(range(17, 35))


def test_what_pip_could_not_find_is_told_and_tried_again(pip, lock):
    pip.fails = "ERROR: No matching distribution found for boto3==1"
    with pytest.raises(OperatorError, match=r"Python 3\.10 could not .*No matching distribution.*--internet"):
        wheels.folder("notebook", quiet, lock)
    pip.fails = ""
    assert [path.name for path in wheels.folder("notebook", quiet, lock).iterdir()] == ["numpy-2.whl"]


def test_the_lock_of_the_workbench_is_part_of_the_project_s():
    def locked(name: str) -> set[str]:
        return set(re.findall(r"^[A-Za-z0-9._-]+==[^\s;\\]+", (ROOT / name).read_text(), re.M))

    ours = locked("requirements-workbench.lock")
    assert len(ours) > 40
    assert ours <= locked("requirements.lock")
    for image in (image for images in wheels.IMAGES.values() for image in images):
        asked = wheels.requirements(image, wheels.LOCK.read_text())
        names = re.findall(r"^([A-Za-z0-9._-]+)==", asked, re.M)
        assert len(names) == len(set(names)) and {"boto3", "sagemaker-core", "scikit-learn"} <= set(names)
        assert ";" not in asked
