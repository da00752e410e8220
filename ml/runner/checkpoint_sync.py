"""Copy checkpoints between S3 and the training program's folder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from .job import Job
from .storage import JobStorage

INTERVAL = 5.0  # seconds between two scans of the folder


class CheckpointSync:
    """Upload checkpoints while the program trains. A context manager; leaving it uploads what is left.

    Files named `*.partial` are ignored: the program is still writing them.
    """

    def __init__(self, job: Job, storage: JobStorage, folder: Path, log: Callable[[str], None]) -> None:
        self._job, self._storage, self._folder, self._log = job, storage, folder, log
        self._uploaded: dict[Path, int] = {}  # file to its modification time, in nanoseconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._upload_regularly, name="checkpoints", daemon=True)

    def download(self) -> int:
        """Download the checkpoints of the previous attempt. Returns the number of files."""
        count = self._storage.download(self._job.checkpoints, self._folder)
        self._uploaded = {file: file.stat().st_mtime_ns for file in self._files()}
        return count

    def __enter__(self) -> CheckpointSync:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.upload_changes()

    def upload_changes(self) -> None:
        """Upload every file that has changed since its last upload. Raises what boto3 raises."""
        for file in self._files():
            modified = file.stat().st_mtime_ns
            if self._uploaded.get(file) == modified:
                continue
            # Upload a hard link: the program may replace the file while its parts are being sent.
            link = file.with_name(f"{file.name}.upload.partial")
            link.unlink(missing_ok=True)
            link.hardlink_to(file)
            name = file.relative_to(self._folder).as_posix()
            self._storage.upload(self._job, link, f"{self._job.checkpoints}{name}")
            link.unlink()
            self._uploaded[file] = modified

    def _upload_regularly(self) -> None:
        while not self._ended.wait(INTERVAL):
            try:
                self.upload_changes()
            except Exception as error:  # the next scan retries, and the last one raises
                self._log(f"cannot upload the checkpoint, retrying: {error}")

    def _files(self) -> list[Path]:
        return [
            path for path in sorted(self._folder.rglob("*")) if path.is_file() and path.suffix != ".partial"
        ]
