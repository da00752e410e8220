"""Record of access decisions: `log/decisions.jsonl` in the home folder, one JSON object per line.

Each decision is written once per session, action, resource, outcome and values of the condition keys that the
policies use, so a caller that repeats a request costs one set lookup. The latest 16 to 32 MB are kept.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path
from typing import IO

from embedded_aws.iam.conditions import Context
from embedded_aws.iam.evaluate import Decision, keys_of
from embedded_aws.iam.principals import Principal

log = logging.getLogger("embedded_aws.iam")

FILE = "decisions.jsonl"
_MAX_BYTES = 16_000_000  # per file; the previous file is kept as decisions.jsonl.1
_MAX_REMEMBERED = 100_000  # decisions; beyond that, repeated ones are written again


class DecisionRecord:
    """Appends decisions to `decisions.jsonl` in a folder, each once. Thread-safe."""

    def __init__(self, folder: Path, max_bytes: int = _MAX_BYTES):
        self._path, self._max_bytes = folder / FILE, max_bytes
        self._seen: set[tuple[object, ...]] = set()
        self._lock = threading.Lock()
        self._file: IO[str] | None = None

    def note(
        self,
        principal: Principal,
        action: str,
        resource: str,
        context: Context,
        decision: Decision,
        resource_policy: str | None = None,
    ) -> None:
        """Write a decision unless it has been written.

        resource_policy: the policy of the resource, if it took part in the decision.
        """
        limits = (principal.boundary(), principal.session_policy, resource_policy)
        documents = (*principal.documents(), *(text for text in limits if text))
        used = {key: context[key] for key in keys_of(documents) if key in context}
        values = tuple((k, v if isinstance(v, str) else tuple(v)) for k, v in used.items())
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
                "context": dict(sorted(used.items())),
                "allowed": decision.allowed,
                "reason": decision.reason,
                "statements": decision.statements,
            }
        )
        with self._lock:
            if len(self._seen) >= _MAX_REMEMBERED:
                self._seen.clear()
            self._seen.add(known)
            try:
                self._append(line)
            except OSError as error:  # a full disk must not fail the request
                log.warning("decision not recorded: %s", error)

    def _append(self, line: str) -> None:
        if self._file is None:
            self._file = self._path.open("a", encoding="utf-8")
        if self._file.tell() + len(line) > self._max_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(f"{FILE}.1"))
            self._file = self._path.open("a", encoding="utf-8")
            self._seen.clear()
        self._file.write(line + "\n")
        self._file.flush()
