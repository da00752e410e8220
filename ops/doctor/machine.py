"""Properties of this machine: versions, disk, folders, namespaces."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ops import child_environment
from ops.doctor.finding import Finding
from ops.errors import OperatorError
from ops.paths import WORK
from ops.terraform import binary, providers

NEEDED_BYTES = 1 << 30
"""A provider has 700 MB, and a data set and its models some hundred."""
ENOUGH_BYTES = 5 << 30
_PROBE = ("--user", "--map-root-user", "--mount", "--pid", "--fork", "true")


def examine(free_bytes: Callable[[Path], int] | None = None) -> list[Finding]:
    """Return the findings. free_bytes: returns the free bytes of the disk with a folder."""
    free = free_bytes or (lambda folder: shutil.disk_usage(folder).free)
    return [_python(), _terraform(), _provider(), _disk(free), *_folders(), _namespaces()]


def _python() -> Finding:
    return Finding("Python", f"{platform.python_version()} ({sys.executable})", "ok", "runs the commands")


def _terraform() -> Finding:
    try:
        return Finding("Terraform", f"{binary.version()} ({binary.find()})", "ok", "creates the stacks")
    except OperatorError as error:
        return Finding("Terraform", "PATH", "stops", *_reason_and_advice(error))


def _provider() -> Finding:
    try:
        version, config = f"hashicorp/aws {providers.locked_version()}", providers.cli_config()
    except OperatorError as error:
        return Finding("Terraform provider", "TF_PLUGIN_DIR", "stops", *_reason_and_advice(error))
    if source := providers.network_mirror() or providers.find_mirror():
        return Finding("Terraform provider", version, "ok", f"installed from {source}")
    downloaded = any(
        (config.parent / "providers").glob(f"*/{providers.PROVIDER}/{providers.locked_version()}")
    )
    reason = "downloaded before" if downloaded else "the first command downloads it: 700 MB"
    return Finding("Terraform provider", version, "ok", reason)


def _disk(free_bytes: Callable[[Path], int]) -> Finding:
    folder = next(path for path in (WORK, *WORK.parents) if path.exists())
    free = free_bytes(folder)
    seen, reason = f"{free / (1 << 30):.1f} GiB free", f"for {WORK}"
    if free < NEEDED_BYTES:
        advice = f"free {NEEDED_BYTES >> 30} GiB, or set INV_WORK to a folder on another disk"
        return Finding("disk", seen, "stops", f"too little {reason}", advice)
    return Finding("disk", seen, "ok" if free >= ENOUGH_BYTES else "matters", reason)


def _folders() -> list[Finding]:
    """Return findings about folders that cannot be written."""
    found = []
    folder = next(path for path in (WORK, *WORK.parents) if path.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        advice = "set INV_WORK to a folder that you can write"
        found.append(Finding("work folder", str(WORK), "stops", "it cannot be written", advice))
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        found.append(Finding("temporary files", "TMPDIR", "stops", "no folder can be written", "set TMPDIR"))
    return found


def _namespaces() -> Finding:
    """Return whether Linux lets this user create namespaces."""
    unshare = shutil.which("unshare")
    weaker = "jobs and hosts of the embedded AWS run without isolation from this machine"
    if platform.system() != "Linux" or unshare is None:
        return Finding("namespaces", platform.system(), "matters", weaker)
    environment = child_environment.build("program")
    tried = subprocess.run(
        [unshare, *_PROBE], env=environment, capture_output=True, encoding="utf-8", errors="replace"
    )
    if tried.returncode:
        advice = "as an administrator, allow unprivileged user namespaces (sysctl user.max_user_namespaces)"
        return Finding("namespaces", " ".join(tried.stderr.split())[:100], "matters", weaker, advice)
    return Finding(
        "namespaces", "available", "ok", "isolate jobs and hosts of the embedded AWS from this machine"
    )


def _reason_and_advice(error: OperatorError) -> tuple[str, str]:
    """Return the parts of an error's sentence: what is wrong, what to do."""
    reason, _, advice = str(error).rstrip(".").rpartition(": ")
    return reason or advice, advice
