"""The packages that a notebook or a data job needs, as wheels, for a network without internet access."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from packaging.markers import Marker

from ops import child_environment
from ops.errors import OperatorError
from ops.paths import ROOT, WORK
from ops.text import clause

LOCK = ROOT / "requirements-workbench.lock"


@dataclass(frozen=True)
class Image:
    """A SageMaker image in which this repository runs. glibc: the minor version of its C library, 2.x."""

    python: str
    glibc: int


IMAGES = {
    "studio": (Image("3.11", 35), Image("3.12", 35)),  # SageMaker Distribution 2 and 3, on Ubuntu 22.04
    "notebook": (Image("3.10", 34),),  # notebook-al2023-v1, on Amazon Linux 2023
    "processing": (Image("3.12", 34),),  # the training image, on Amazon Linux 2023
}
"""By kind of workbench, and of the data job. AWS chooses one of Studio's."""


def folder(kind: str, progress: Callable[[str], None], lock: Path = LOCK) -> Path:
    """Return the folder with the wheels for the images of a kind, downloaded once per lock file: 110 MB per image.

    Raises OperatorError if they cannot be downloaded.
    """
    wanted = sha256(lock.read_bytes() + repr(IMAGES[kind]).encode()).hexdigest()
    cached = WORK / "wheels" / f"{kind}-{wanted[:16]}"
    if cached.exists():
        return cached
    building = cached.with_suffix(".new")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    for image in IMAGES[kind]:
        progress(f"downloading packages for Python {image.python} (once, 110 MB)")
        _download(
            image,
            lock.read_text(encoding="utf-8"),
            building,
            "" if kind == "processing" else "; or use --internet",
        )
    return building.rename(cached)


def requirements(image: Image, lock: str) -> str:
    """Return the entries of a universal lock that an image needs, without markers: pip would evaluate these here."""
    machine = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "python_version": image.python,
        "python_full_version": f"{image.python}.0",
    }
    needed = []
    for entry in re.split(r"\n(?=[A-Za-z0-9])", lock.strip()):
        name, _, hashes = entry.partition(" \\\n")
        package, _, marker = name.partition(" ; ")
        if not marker or Marker(marker).evaluate(machine):
            needed.append(f"{package} \\\n{hashes}")
    return "\n".join(needed) + "\n"


def _download(image: Image, lock: str, destination: Path, otherwise: str) -> None:
    """Download the wheels of an image. otherwise: what else an operator can do if that fails."""
    file = destination / "requirements.txt"
    file.write_text(requirements(image, lock), encoding="utf-8")
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in range(image.glibc, 16, -1)]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={image.python}",
        *platforms,
        "--platform=manylinux2014_x86_64",
        f"--requirement={file}",
        f"--dest={destination}",
    ]
    environment = child_environment.build("package")
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", errors="replace")
    file.unlink()
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no message"]
        raise OperatorError(
            f"The packages for Python {image.python} could not be downloaded ({clause(errors[-1], 300)}): connect to the network, "
            f"or configure pip with a package index, and run the same command again{otherwise}."
        )
