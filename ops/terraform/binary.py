"""Find the Terraform executable and check its version."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache

from ops import child_environment
from ops.errors import OperatorError

MINIMUM = (1, 11)
_INSTALL = "install Terraform 1.11 or newer (developer.hashicorp.com/terraform/install) and put it on PATH"


def find() -> str:
    """Return the path of Terraform 1.11 or newer.

    Raises:
        OperatorError: Terraform is missing, too old or broken.
    """
    found = shutil.which("terraform")
    if not found:
        raise OperatorError(f"Terraform is not installed: {_INSTALL}.")
    number = _version(found, os.stat(found).st_mtime_ns)
    if tuple(int(part) for part in number.split(".")[:2]) < MINIMUM:
        raise OperatorError(
            f"{found} is Terraform {number}, too old for S3 native state locking: {_INSTALL}."
        )
    return found


def version() -> str:
    """Return the version of Terraform, such as 1.11.4. Raises OperatorError as `find` does."""
    path = find()
    return _version(path, os.stat(path).st_mtime_ns)


@cache
def _version(path: str, modified: int) -> str:
    """Return the version of an executable. modified: its modification time, for the cache."""
    try:
        out = subprocess.run(
            [path, "version", "-json"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            env=child_environment.build("terraform", {"TF_CLI_CONFIG_FILE": os.devnull}),
        ).stdout
        return str(json.loads(out[out.index("{") :])["terraform_version"])
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError) as error:
        output = getattr(error, "stderr", None) or str(error)
        raise OperatorError(
            f"{path} does not report its version ({' '.join(output.split())[:200]}): reinstall Terraform."
        ) from error
