"""The files of a function, and how its processes see them.

In namespaces they are at the paths of AWS, and only /tmp can be written, up to the function's ephemeral storage. Without
namespaces they are at their paths on this machine, and Python refuses to write outside the temporary folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from embedded_aws.processes.isolation import guard
from embedded_aws.processes.isolation.container import Container
from embedded_aws.services.lambda_ import code

TASK_ROOT, RUNTIME_DIR, LAYERS, TEMPORARY = "/var/task", "/var/runtime", "/opt", "/tmp"
WRITABLE = (TEMPORARY, "/dev", "/proc")  # without namespaces, besides the environment's own temporary folder


@dataclass(frozen=True, kw_only=True)
class FunctionFiles:
    """What the environments of a version have in common."""

    task_root: Path
    """Folder of the unpacked code."""

    runtime_dir: Path
    """Folder of the runtime's packages."""

    layers: list[Path]
    """Folders of the unpacked layers, in order."""

    merged_layers: Path | None
    """Folder with the files of all layers; None without layers."""

    storage: int
    """Megabytes of ephemeral storage."""

    home: Path
    """Folder of the embedded AWS, hidden from the function."""

    isolated: bool
    """Whether processes run in namespaces."""

    def variables(self, runtime: str) -> dict[str, str]:
        """Return the environment variables that name the files. runtime: such as "python3.12"."""
        if not self.isolated:
            task_root, runtime_dir, layers = self.task_root, self.runtime_dir, self.layers
        else:
            task_root, runtime_dir = Path(TASK_ROOT), Path(RUNTIME_DIR)
            layers = [Path(LAYERS)] if self.merged_layers else []
        return {
            "LAMBDA_TASK_ROOT": str(task_root),
            "LAMBDA_RUNTIME_DIR": str(runtime_dir),
            "PYTHONPATH": code.python_path(runtime_dir, layers, runtime),
        }

    def temporary(self, folder: Path) -> str:
        """Return the path of the temporary folder of an environment. folder: the one it has on this machine."""
        return TEMPORARY if self.isolated else str(folder)

    def command(self, command: list[str], temporary: Path) -> list[str]:
        """Return the command line of an environment's process.

        command: of `bootstrap.py`. temporary: folder on this machine.
        """
        if not self.isolated:
            refused = ("/", str(self.home), str(self.task_root))
            allowed = (*WRITABLE, str(temporary))
            return [*command, guard.__file__, os.pathsep.join(refused), os.pathsep.join(allowed)]
        shown = {TASK_ROOT: self.task_root, RUNTIME_DIR: self.runtime_dir}
        if self.merged_layers:
            shown[LAYERS] = self.merged_layers
        container = Container(
            read_only=shown,
            memory={TEMPORARY: self.storage << 20},
            hidden=(self.home, Path("/home"), Path("/root")),
            directory=TASK_ROOT,
        )
        return container.command(command)
