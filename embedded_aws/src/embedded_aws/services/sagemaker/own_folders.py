"""The folders that every SageMaker container has of its own, besides /opt/ml."""

from __future__ import annotations

from pathlib import Path

from embedded_aws.processes.isolation import packages

# Paths that the container sees, with the names of the folders in their place.
FOLDERS = {"/tmp": "tmp", "/var/tmp": "var-tmp", "/root": "root", "/home": "home"}


def make(root: Path) -> dict[str, Path]:
    """Create the folders below `root`. Return them by the path that the container sees."""
    folders = {path: root / name for path, name in FOLDERS.items()}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def variables(root: Path | None) -> dict[str, str]:
    """Return the environment variables that name the folders, and pip's configuration.

    root: of the folders on this machine; None for a container in namespaces.
    """
    places = {path: path if root is None else str(root / name) for path, name in FOLDERS.items()}
    pip = packages.pip_configuration()  # pip would look for it in the home folder
    return {
        "HOME": places["/root"],
        "TMPDIR": places["/tmp"],
        **({} if pip is None else {"PIP_CONFIG_FILE": str(pip)}),
    }
