"""Installs code/requirements.txt of a model, as AWS's image does before it serves."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.hosting.disk import ModelDisk
from embedded_aws.services.sagemaker.hosting.exceptions import DeploymentFailed

FILE = "code/requirements.txt"
SECONDS = 480.0
FURTHER = ("-r", "--requirement", "-e", "--editable")  # options that name something to install


def install(
    runtime: Runtime,
    disk: ModelDisk,
    variant: dict[str, Any],
    environment: Callable[[dict[str, Any]], dict[str, str]],
) -> None:
    """Install what the model requires into the packages of its disk, if this machine does not have it.

    With network isolation pip has no network, as on AWS. Raises DeploymentFailed.
    """
    if not missing(disk.folder / FILE):
        return
    root = disk.folder.with_name(f"{disk.folder.name}.pip")
    pip = [disk.python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    options: tuple[str, ...] = ()
    if variant["EnableNetworkIsolation"]:
        options, pip = ("--isolated",), [*pip, "--retries", "0"]
    child = runtime.supervisor.spawn(
        disk.command([*pip, "-r", f"{disk.model}/{FILE}"], root, installs=True, options=options),
        env={**environment(variant), **disk.variables(root), "PYTHONPATH": ""},
        cwd=disk.folder,
    )
    try:
        output = child.communicate(timeout=SECONDS)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        output = f"pip did not end within {SECONDS:.0f} s"
    runtime.supervisor.end(child, grace=0)
    shutil.rmtree(root, ignore_errors=True)
    if child.returncode:
        lines = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines()[-1:]
        raise DeploymentFailed(f"{FILE} could not be installed: {' '.join(lines) or 'pip reported nothing'}")


def missing(path: Path) -> bool:
    """Return whether a requirements file exists and names something that this machine's packages do not satisfy."""
    if not path.exists():
        return False
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.split(" #")[0].strip()
        if text.startswith(FURTHER):
            return True
        if not text or text.startswith(("#", "-")):
            continue
        try:
            requirement = Requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate():
                continue
            installed = importlib.metadata.version(requirement.name)
        except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
            return True
        if not requirement.specifier.contains(installed, prereleases=True):
            return True
    return False
