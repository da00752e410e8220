"""The folder that Terraform runs in: links to a root's files, and files that one run generates.

Each stack has its own, so that what Terraform writes there (`errored.tfstate`) and what a run generates never gets into
the repository or into another environment.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ERRORED_STATE = "errored.tfstate"
"""File that Terraform writes when it cannot save the state."""

_NOT_LINKED = (".terraform", ERRORED_STATE)


@dataclass(frozen=True)
class Configuration:
    """The configuration of one stack.

    root: folder of the root in the repository.
    work: work folder of the stack.
    generated: files that every run adds to the root: text by name.
    """

    root: Path
    work: Path
    generated: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder that Terraform runs in."""
        return self.work / "configuration" / "terraform" / self.root.name

    @property
    def errored_state(self) -> Path:
        """The state that Terraform could not save, if there is one."""
        return self.folder / ERRORED_STATE

    @contextlib.contextmanager
    def prepared(self, generated: Mapping[str, str] | None = None) -> Iterator[Path]:
        """Bring the folder up to date and yield it. One process at a time may do so.

        generated: files for this run only: text by name. They are removed afterwards, and by the next run at the latest.
        """
        once = dict(generated or {})
        self._refresh(once)
        try:
            yield self.folder
        finally:
            for name in once:
                (self.folder / name).unlink(missing_ok=True)

    def _refresh(self, once: Mapping[str, str]) -> None:
        """Link the root's files, the modules and the policies, and remove everything else but errored states."""
        terraform = self.root.parent
        self.folder.mkdir(parents=True, exist_ok=True)
        _link(self.folder.parent / "modules", terraform / "modules")
        _link(self.folder.parent.parent / "policies", terraform.parent / "policies")
        sources = {source.name: source for source in self.root.iterdir() if source.name not in _NOT_LINKED}
        for entry in self.folder.iterdir():
            if entry.name not in sources and not entry.name.startswith(ERRORED_STATE):
                _remove(entry)
        for name, source in sources.items():
            _link(self.folder / name, source)
        for name, text in {**self.generated, **once}.items():
            _remove(self.folder / name)
            (self.folder / name).write_text(text, encoding="utf-8")


def _link(path: Path, target: Path) -> None:
    if not path.is_symlink() or path.readlink() != target:
        _remove(path)
        path.symlink_to(target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
