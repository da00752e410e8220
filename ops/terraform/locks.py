"""Take and release the locks of Terraform states: the S3 objects that Terraform's own S3 backend locks with.

A command takes the lock itself, keeps it over several runs of Terraform, and runs Terraform with -lock=false. A plain
Terraform and this program exclude each other. The lock's `Info` names the command and its process, so that the next
command of the same user on the same machine knows whether the owner still runs.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops import waiting
from ops.aws import error_code
from ops.console import Progress
from ops.errors import OperatorError
from ops.terraform import binary, lock_owner
from ops.terraform.commands import LONGEST_RUN_SECONDS
from ops.terraform.lock_owner import Liveness, Owner

SECONDS = 60
"""How long a command waits for a lock."""

_TAKEN = ("PreconditionFailed", "412")
_TRY_AGAIN = ("ConditionalRequestConflict", "409", "OperationAborted")
_MISSING = ("NoSuchKey", "NoSuchBucket", "404")


@dataclass(frozen=True)
class Lock:
    """A lock object in S3.

    id: ID that Terraform gave it; "" if the object is not a lock of Terraform.
    etag: of the object.
    who: `user@host`.
    since: when it was taken.
    operation: as Terraform names it.
    owner: the command that holds it; None if it is a lock of another program.
    """

    id: str
    etag: str
    who: str
    since: datetime
    operation: str = ""
    owner: Owner | None = None

    @property
    def is_mine(self) -> bool:
        """Whether this user took it on this host."""
        return self.who == lock_owner.user_at_host()

    @property
    def liveness(self) -> Liveness:
        """Whether its command still runs, as far as this machine knows."""
        return self.owner.liveness() if self.is_mine and self.owner else "unknown"

    def __str__(self) -> str:
        """Who holds it and since when, for a sentence."""
        seconds = max(0, int((datetime.now(timezone.utc) - self.since).total_seconds()))
        since = f"since {self.since.astimezone():%Y-%m-%d %H:%M:%S} ({_duration(seconds)})"
        if not self.id:
            return f"an object that is not a lock of Terraform, {since}"
        if self.owner is None:
            return (
                f"{self.who} with Terraform ({self.operation.removeprefix('OperationType').lower()}), {since}"
            )
        running = {"running": ", which still runs", "ended": ", which has ended", "unknown": ""}[
            self.liveness
        ]
        return f"{self.who} with `{self.owner.command}` (process {self.owner.process}{running}), {since}"


@dataclass(frozen=True)
class StateLock:
    """The lock of one state.

    s3: client.
    bucket, key: place of the state.
    stack: name for messages.
    log: standard output of this stack's Terraform, which it locks.
    progress: called with a short text.
    unlock: command that shows and releases locks.
    """

    s3: Any
    bucket: str
    key: str
    stack: str
    log: Path
    progress: Progress
    unlock: str

    @property
    def lock_key(self) -> str:
        """Key of the lock object."""
        return f"{self.key}.tflock"

    def acquire(self) -> HeldLock:
        """Take the lock. Waits for another command; takes over what a dead process of this user and machine left.

        Raises:
            OperatorError: Somebody else holds it.
        """
        while True:
            held, found = waiting.wait_for(
                self._take,
                seconds=SECONDS,
                on_timeout=lambda: self._refusal(read(self.s3, self.bucket, self.lock_key)),
                on_wait=self._show_wait(),
            )
            if held:
                return held
            if found is None or found.owner is None:
                continue
            self._wait_for_terraform(found.owner)
            self.progress(f"taking over the state lock of {self.stack} from {found}", important=True)
            delete(self.s3, self.bucket, self.lock_key, found)

    def _take(self) -> tuple[HeldLock | None, Lock | None] | None:
        """Return the lock, or the lock of a dead command that can be taken over, or None while another one lives."""
        if held := self._create():
            return held, None
        found = read(self.s3, self.bucket, self.lock_key)
        return (None, found) if found and found.liveness == "ended" else None

    def _create(self) -> HeldLock | None:
        """Create the lock object. Returns None if there is one."""
        info = {
            "ID": str(uuid.uuid4()),
            "Operation": "OperationTypeApply",
            "Info": lock_owner.this_process(self.log).model_dump_json(),
            "Who": lock_owner.user_at_host(),
            "Version": binary.version(),
            "Created": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
            "Path": f"{self.bucket}/{self.key}",
        }
        try:
            made = self.s3.put_object(
                Bucket=self.bucket,
                Key=self.lock_key,
                Body=json.dumps(info).encode(),
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error_code(error) in _TRY_AGAIN:
                return None
            if error_code(error) not in _TAKEN:
                raise
            found = read(self.s3, self.bucket, self.lock_key)
            # A repeated request is refused because of the first one, whose answer was lost.
            return HeldLock(self, found) if found and found.id == info["ID"] else None
        lock = _parse(json.dumps(info), made["ETag"], datetime.now(timezone.utc))
        return HeldLock(self, lock)

    def _show_wait(self) -> Callable[[], None]:
        """Return a function that shows who holds the lock, at once and then every ten seconds."""
        pause, shown = waiting.Pause(), [-1]

        def show() -> None:
            tens = int(pause.waited // 10)
            if tens > shown[0] and (found := read(self.s3, self.bucket, self.lock_key)):
                shown[0] = tens
                left = max(0, SECONDS - 10 * tens)
                self.progress(f"{self.stack} is locked by {found}; waiting {left} s", important=True)

        return show

    def _wait_for_terraform(self, owner: Owner) -> None:
        """Wait for the Terraform of a killed command."""
        pause = waiting.Pause()
        waiting.wait_for(
            lambda: None if owner.terraform_runs() else True,
            seconds=LONGEST_RUN_SECONDS,
            on_timeout=lambda: (
                f"Terraform of `{owner.command}`, which was killed, still works on {self.stack}: it writes {owner.log}. "
                "Run the same command again when it has ended."
            ),
            on_wait=lambda: self.progress(
                f"waiting for the Terraform of `{owner.command}`, which was killed, to finish {self.stack} "
                f"({_duration(int(pause.waited) // 10 * 10)})",
                important=True,
            ),
            shortest=0.2,
        )

    def _refusal(self, found: Lock | None) -> str:
        """Return the sentence for a lock that was not released in time."""
        if found is None:  # released in the last moment
            return f"Stack {self.stack} was locked by another command for {SECONDS} s: run the same command again."
        if found.liveness == "running":
            remedy = "Wait until it has ended or stop it with Ctrl-C, then run the same command again."
        elif not found.id:
            remedy = f"{self.unlock} --force removes s3://{self.bucket}/{self.lock_key}."
        else:
            remedy = f"Ask its owner; {self.unlock} shows what can be done if it no longer runs."
        return f"Stack {self.stack} is locked by {found}. {remedy}"


@dataclass(frozen=True)
class HeldLock:
    """A lock that this process holds.

    place: where it is.
    lock: what was written.
    """

    place: StateLock
    lock: Lock

    def verify(self) -> None:
        """Raise OperatorError if somebody has released the lock."""
        place = self.place
        found = read(place.s3, place.bucket, place.lock_key)
        if found is None or found.id != self.lock.id:
            now = f"is now held by {found}" if found else "is gone"
            raise OperatorError(
                f"The state lock of {place.stack} was released while this command held it, and {now}: make sure that "
                "nobody else changes this stack, then run the same command again."
            )

    def release(self) -> None:
        """Release the lock, if it is still this one. A failure is reported only: the next command takes it over."""
        place = self.place
        try:
            found = read(place.s3, place.bucket, place.lock_key)
            if found is None or found.id != self.lock.id:
                place.progress(
                    f"the state lock of {place.stack} was released by somebody else in the meantime",
                    important=True,
                )
            else:
                delete(place.s3, place.bucket, place.lock_key, found)
        except (BotoCoreError, ClientError) as error:
            place.progress(
                f"the state lock of {place.stack} could not be released ({error}): your next command takes it over",
                important=True,
            )


def read(s3: Any, bucket: str, lock_key: str) -> Lock | None:
    """Return the lock at a key, or None if there is none."""
    try:
        found = s3.get_object(Bucket=bucket, Key=lock_key)
        text = found["Body"].read().decode(errors="replace")
    except ClientError as error:
        if error_code(error) in _MISSING:
            return None
        raise
    return _parse(text, found["ETag"], found["LastModified"])


def delete(s3: Any, bucket: str, lock_key: str, lock: Lock) -> bool:
    """Delete a lock object. Returns False if it is not there any more or another lock has taken its place."""
    try:
        s3.delete_object(Bucket=bucket, Key=lock_key, IfMatch=lock.etag)
    except ClientError as error:
        if error_code(error) in (*_TAKEN, *_TRY_AGAIN, *_MISSING):
            return False
        raise
    return True


def _parse(text: str, etag: str, modified: datetime) -> Lock:
    try:
        info = json.loads(text)
        return Lock(
            id=str(info["ID"]),
            etag=etag,
            who=str(info.get("Who", "")),
            since=modified,
            operation=str(info.get("Operation", "")),
            owner=lock_owner.parse(str(info.get("Info", ""))),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Lock(id="", etag=etag, who="", since=modified)


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} minutes" if seconds < 7200 else f"{seconds // 3600} hours"
