"""The files that the containers of a variant share, and how their programs see them.

In namespaces the model is at the path of AWS, and nothing but a container's own folders can be changed. Without
namespaces SM_MODEL_DIR and PYTHONPATH name the model's folder on this machine.
"""

from __future__ import annotations

import os
from pathlib import Path

from embedded_aws.processes.isolation import packages
from embedded_aws.processes.isolation.container import Container, refusal
from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker import own_folders

BASE, MODEL = "/opt/ml", "/opt/ml/model"


class ModelDisk:
    """The unpacked model of a variant, and the packages that it requires."""

    def __init__(self, runtime: Runtime, folder: Path, packages_folder: Path | None = None) -> None:
        """folder: of the unpacked model. packages_folder: by default next to it."""
        self.folder = folder
        self.packages = packages_folder or folder.with_name(f"{folder.name}.packages")
        self._home, self._isolated = runtime.home, not refusal(runtime.supervisor)

    @property
    def model(self) -> str:
        """Path at which programs find the model."""
        return MODEL if self._isolated else str(self.folder)

    @property
    def python(self) -> str:
        """Path at which programs find Python."""
        return f"{packages.PATH if self._isolated else self.packages}/bin/python"

    def create_packages(self) -> None:
        """Create the environment for the packages. It is empty: all that it has is this machine's."""
        packages.create(self.packages, *(() if self._isolated else (BASE,)))

    def variables(self, root: Path) -> dict[str, str]:
        """Return the environment variables that name the folders. root: as in `command`."""
        return {
            **own_folders.variables(None if self._isolated else root),
            "PYTHONPATH": os.pathsep.join((self.model, f"{self.model}/code")),
            "SM_MODEL_DIR": self.model,
        }

    def command(
        self, command: list[str], root: Path, installs: bool = False, options: tuple[str, ...] = ()
    ) -> list[str]:
        """Return the command line of a program.

        root: folder for the container's own files.
        installs: whether it may change the packages.
        options: of the container.
        """
        own = {BASE: root / "ml", **own_folders.make(root)}
        own[BASE].mkdir(exist_ok=True)
        if not self._isolated:
            return command
        shared = {MODEL: self.folder} | ({} if installs else {packages.PATH: self.packages})
        own |= {packages.PATH: self.packages} if installs else {}
        container = Container(
            own=own, read_only=shared, hidden=(self._home,), directory=MODEL, options=options
        )
        return container.command(command)
