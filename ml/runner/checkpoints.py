"""Checkpoints: brought before the program starts, and kept in S3 as it writes them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from .job import Job
from .storage import Storage

EVERY = 5.0  # seconds between two looks


class Checkpoints:
    """A context manager: within it, every checkpoint that has changed is uploaded; at its end, what is left.

    A file that is only being written, `*.partial`, is left alone.
    """

    def __init__(self, job: Job, storage: Storage, folder: Path, say: Callable[[str], None]) -> None:
        self._job, self._storage, self._folder, self._say = job, storage, folder, say
        self._seen: dict[Path, int] = {}
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="checkpoints", daemon=True)

    def fetch(self) -> int:
        """Bring what an attempt before has left. Returns how many files."""
        count = self._storage.fetch(self._job.checkpoints, self._folder)
        self._seen = {file: file.stat().st_mtime_ns for file in self._files()}
        return count

    def __enter__(self) -> Checkpoints:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()
        self._keep()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY):
            try:
                self._keep()
            except Exception as error:  # whatever it is: the next look tries again, and the last one raises
                self._say(f"the checkpoint could not be uploaded, and will be tried again: {error}")

    def _keep(self) -> None:
        for file in self._files():
            changed = file.stat().st_mtime_ns
            if self._seen.get(file) != changed:
                # By a link of its own: the program may replace the file while parts of it are being sent.
                link = file.with_name(f"{file.name}.upload.partial")
                link.unlink(missing_ok=True)
                link.hardlink_to(file)
                name = file.relative_to(self._folder).as_posix()
                self._storage.upload(self._job, link, f"{self._job.checkpoints}{name}")
                link.unlink()
                self._seen[file] = changed

    def _files(self) -> list[Path]:
        return [
            path for path in sorted(self._folder.rglob("*")) if path.is_file() and path.suffix != ".partial"
        ]
