"""Starts a data job in its container: unpacks the repository, installs what the image lacks, runs the program.

Run as a script, with the standard library only: it is an input of the job, next to the request.
"""

import importlib.util
import os
import runpy
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

PROCESSING = Path(__file__).resolve().parents[2]  # /opt/ml/processing
REPOSITORY = PROCESSING / "repository"
PACKAGES = PROCESSING / "packages"
LOCK = "requirements-workbench.lock"
NEEDED = ("boto3", "imagehash", "numpy", "PIL", "pydantic", "rich", "sklearn")  # what the stage imports


def main() -> None:
    # As the first process of a container, this one would otherwise ignore the signal of a stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tarfile.open(PROCESSING / "input/code/repository.tar.gz") as archive:
        archive.extractall(REPOSITORY, filter="data")
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"installing packages, as the image has no {', '.join(missing)}", flush=True)
        install()
        sys.path.insert(0, str(PACKAGES))
    sys.path.insert(0, str(REPOSITORY))
    sys.argv[1:] = [str(PROCESSING)]
    runpy.run_module("ml.jobs.processing.program", run_name="__main__")


def install() -> None:
    """Install the locked packages in a folder of their own: the image's stay as they are."""
    wheels = REPOSITORY / "wheels"
    offline = ["--no-index", f"--find-links={wheels}"] if wheels.is_dir() else []
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        *offline,
        f"--target={PACKAGES}",
        f"--requirement={REPOSITORY / LOCK}",
    ]
    done = subprocess.run(command, env=dict(os.environ), stderr=subprocess.PIPE, encoding="utf-8")
    if done.returncode:
        print(done.stderr, file=sys.stderr, flush=True)
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no message"]
        message = f"The packages of the data job could not be installed: {lines[-1]}"
        (PROCESSING.parent / "output/message").write_text(message, encoding="utf-8")
        sys.exit(1)


if __name__ == "__main__":
    main()
