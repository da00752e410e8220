"""The journal of an upload: what is stored so far, so that an interrupted upload is resumed.

Its marker is rewritten every few seconds, which shows other commands that the upload is running. What was stored in the
meantime goes into a part of its own: the journal as a whole grows with the images, not with the images times the time.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter

from ml.jobs.data.store import Store, Stored
from ops.aws import error_code
from ops.documents import UnreadableDocument, decode

MARKER = "upload-in-progress.json"
FLUSH_SECONDS = 5.0
_ROWS: TypeAdapter[list[tuple[str, str, str, int, str]]] = TypeAdapter(list[tuple[str, str, str, int, str]])


def is_journal(key: str) -> bool:
    """Return whether a key is that of the marker or of a part."""
    return key.startswith(MARKER)


def read(store: Store, listed: Iterable[str]) -> dict[str, Stored]:
    """Return what interrupted uploads have stored, by key. A damaged part only makes the upload send more.

    listed: the keys of the store.
    """
    found: dict[str, Stored] = {}
    for key in sorted(key for key in listed if is_journal(key) and key != MARKER):
        with contextlib.suppress(UnreadableDocument):
            rows = decode(
                _ROWS, store.get(key) or b"[]", what="A part of the journal", remedy="run ./inv data"
            )
            found.update({row[0]: Stored(*row[1:]) for row in rows})
    return found


class Journal:
    """The journal of one running upload. Use it as a context: a thread writes it every few seconds until the end."""

    def __init__(self, store: Store, listed: Iterable[str]) -> None:
        """listed: the keys of the store, with the parts of interrupted uploads."""
        numbers = (key.rpartition(".")[2] for key in listed if is_journal(key) and key != MARKER)
        self._number = max((int(number) for number in numbers if number.isdecimal()), default=0)
        self._resumes = MARKER in listed
        self._store = store
        self._lock = threading.Lock()
        self._pending: dict[str, Stored] = {}
        self._ended = threading.Event()
        self._clock = threading.Thread(target=self._write_every_few_seconds, daemon=True)

    def create(self) -> bool:
        """Write the marker. Returns False if another command has created it."""
        try:
            self._store.put(MARKER, b"{}", **({} if self._resumes else {"IfNoneMatch": "*"}))
        except ClientError as error:
            if error_code(error) not in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise
            return False
        return True

    def add(self, key: str, stored: Stored) -> None:
        """Record an object that was written. Called by several threads."""
        with self._lock:
            self._pending[key] = stored

    def __enter__(self) -> Journal:
        self._clock.start()
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        self._ended.set()
        self._clock.join()
        if kind is not None:
            # What interrupted the upload may prevent this too; then the next run sends a little more.
            with contextlib.suppress(ClientError, BotoCoreError):
                self._write()

    def keys(self) -> list[str]:
        """Return the keys of all parts, and of the marker, which must be deleted last."""
        return [*(f"{MARKER}.{number:06}" for number in range(1, self._number + 1)), MARKER]

    def _write_every_few_seconds(self) -> None:
        while not self._ended.wait(FLUSH_SECONDS):
            with contextlib.suppress(ClientError, BotoCoreError):  # the upload itself reports it
                self._write()

    def _write(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, {}
        try:
            if pending:
                self._store.put(f"{MARKER}.{self._number + 1:06}", _content(pending))
                self._number += 1
        except BaseException:
            with self._lock:
                self._pending = {**pending, **self._pending}
            raise
        self._store.put(MARKER, b"{}")


def _content(stored: Mapping[str, Stored]) -> bytes:
    rows = [(key, s.digest, s.etag, s.size, s.sha256) for key, s in stored.items()]
    return json.dumps(rows, ensure_ascii=False).encode()
