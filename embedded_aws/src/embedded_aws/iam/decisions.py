"""The record of what access control decided: `log/decisions.jsonl` in the home folder, one JSON object a line.

A decision is written once for each session, action, resource, outcome, and values of the condition keys that the
policies ask for: a caller that repeats itself costs a look into a set. The latest 16 to 32 MB are kept.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from embedded_aws.iam.evaluate import Decision, keys_of
from embedded_aws.iam.principals import Principal

log = logging.getLogger("embedded_aws.iam")

FILE = "decisions.jsonl"
_BYTES = 16_000_000  # of a file; the one before is kept as decisions.jsonl.1
_REMEMBERED = 100_000  # decisions; then they are told anew


class Record:
    """Appends decisions to a file, each once. For many threads."""

    def __init__(self, path: Path, limit: int = _BYTES):
        self._path, self._limit = path, limit
        self._seen: set[tuple] = set()
        self._lock = threading.Lock()
        self._file: IO[str] | None = None

    def note(
        self,
        principal: Principal,
        action: str,
        resource: str,
        context: dict[str, Any],
        decision: Decision,
        documents: Iterable[str],
    ) -> None:
        """Write a decision, unless it is written. documents: of the policies that it went by."""
        asked = {key: context[key] for key in keys_of(tuple(documents)) if key in context}
        values = tuple((k, v if isinstance(v, str) else tuple(v)) for k, v in asked.items())
        known = (principal.arn, action, resource, decision.allowed, decision.statements, values)
        if known in self._seen:
            return
        line = json.dumps(
            {
                "time": round(time.time(), 3),
                "principal": principal.identity_arn,
                "session": principal.arn,
                "action": action,
                "resource": resource,
                "context": dict(sorted(asked.items())),
                "allowed": decision.allowed,
                "reason": decision.reason,
                "statements": decision.statements,
            }
        )
        with self._lock:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen.add(known)
            try:
                self._append(line)
            except OSError as error:  # a full disk is no reason to refuse a request
                log.warning("a decision is not on record: %s", error)

    def _append(self, line: str) -> None:
        if self._file is None:
            self._file = self._path.open("a")
        if self._file.tell() + len(line) > self._limit:
            self._file.close()
            self._path.replace(self._path.with_name(f"{FILE}.1"))
            self._file = self._path.open("a")
            self._seen.clear()
        self._file.write(line + "\n")
        self._file.flush()


_record: Record | None = None


def install(folder: Path) -> None:
    """Keep the record in `folder` from now on."""
    global _record
    _record = Record(folder / FILE)


def note(
    principal: Principal,
    action: str,
    resource: str,
    context: dict[str, Any],
    decision: Decision,
    policy: str | None = None,
) -> None:
    """Put a decision on record. policy: of the resource, if it counted."""
    if _record is None:
        return
    limits = (principal.boundary(), principal.session_policy, policy)
    documents = [*principal.documents(), *(text for text in limits if text)]
    _record.note(principal, action, resource, context, decision, documents)
