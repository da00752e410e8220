"""The folders of an instance of a job, and how its program sees them.

In namespaces the program finds them at the paths of AWS. Without namespaces it finds them at their paths on this
machine: the toolkit's variables (SM_MODEL_DIR and the like) and the paths in the request name those.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from embedded_aws.processes.isolation import packages
from embedded_aws.processes.isolation.container import Container
from embedded_aws.services.sagemaker import own_folders

BASE = "/opt/ml"
FOLDERS = ("input/config", "input/data", "model", "output/data", "code")


class Disk:
    """The folders of one instance, from the start of an attempt to the end of the job."""

    def __init__(
        self,
        root: Path,
        home: Path,
        isolated: bool,
        folders: Iterable[str] = FOLDERS,
        report: str = "output/failure",
    ) -> None:
        """Create the folders.

        root: folder for them.
        home: folder of the embedded AWS, hidden from the program.
        isolated: whether the program runs in namespaces.
        folders: to create below /opt/ml.
        report: file below /opt/ml for the reason why the program could not be started.
        """
        self._report = f"{BASE}/{report}"
        self.base, self._root, self._home, self._isolated = root / "ml", root, home, isolated
        self._packages = root / "packages"
        self._own = {BASE: self.base, packages.PATH: self._packages, **own_folders.make(root)}
        for name in folders:
            (self.base / name).mkdir(parents=True)
        packages.create(self._packages, *(() if isolated else (BASE,)))

    def path(self, path: str) -> Path:
        """Return the folder on this machine of a path below /opt/ml."""
        return self.base / path.removeprefix(f"{BASE}/")

    @property
    def python(self) -> str:
        """Path at which the program finds Python."""
        return f"{packages.PATH if self._isolated else self._packages}/bin/python"

    def variables(self) -> dict[str, str]:
        """Return environment variables that name the folders."""
        if self._isolated:
            return own_folders.variables(None)
        return {**own_folders.variables(self._root), "SAGEMAKER_BASE_DIR": str(self.base)}

    def relocate(self, text: str) -> str:
        """Return a value of the request as the program needs it: with paths that exist for it."""
        return text if self._isolated else text.replace(f"{BASE}/", f"{self.base}/")

    def command(self, command: list[str], network: int | None) -> list[str]:
        """Return the command line that runs the program.

        network: process whose network it shares; None for this machine's.
        """
        if not self._isolated:
            return command
        container = Container(
            own=self._own,
            hidden=(self._home,),
            directory=BASE,
            report=self._report,
            network=network,
        )
        return container.command(command)
