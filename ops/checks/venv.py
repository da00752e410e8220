"""The virtual environment of checkov, cloudsplaining and parliament: .venv-checkov, built on first use.

It is separate from .venv because checkov pins old versions of packages that the rest needs in new versions.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ops import child_environment
from ops.errors import OperatorError
from ops.paths import ROOT

LOCK = ROOT / "requirements-checkov.lock"
FOLDER = ROOT / ".venv-checkov"

Progress = Callable[[str], None]


def python(progress: Progress = lambda text: None, folder: Path = FOLDER, lock: Path = LOCK) -> Path:
    """Return the interpreter of .venv-checkov; build the environment if it is missing, incomplete or out of date.

    Of two concurrent callers, the second waits for the first.

    Raises:
        OperatorError: A step failed.
    """
    wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    with folder.with_name(f"{folder.name}.lock").open("a", encoding="utf-8") as exclusive:
        fcntl.flock(exclusive, fcntl.LOCK_EX)
        if not (folder / "stamp").exists() or (folder / "stamp").read_text(encoding="utf-8") != wanted:
            progress(f"building {folder.name} (once): virtual environment")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _step(folder, sys.executable, "-m", "venv", str(folder))
            progress(f"building {folder.name} (once): locked packages, about 30 s")
            pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--no-deps", "--require-hashes")
            _step(folder, *pip, "-r", str(lock))
            (folder / "stamp").write_text(wanted, encoding="utf-8")
    return folder / "bin" / "python"


def _step(folder: Path, *command: str) -> None:
    with (folder / "setup.log").open("a", encoding="utf-8") as log:
        environment = child_environment.build("package")
        code = subprocess.run(command, stdout=log, stderr=log, env=environment).returncode
    if code:
        tail = " ".join((folder / "setup.log").read_text(encoding="utf-8").split())[-600:]
        raise OperatorError(
            f"{folder.name} could not be built ({' '.join(command[1:4])}): {tail}. Fix the cause (usually the "
            "network) and run the same command again."
        )
