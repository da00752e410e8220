"""Save the state that Terraform could not save: it left it in errored.tfstate, and what it created is in no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import error_code
from ops.console import Progress


def recover(
    file: Path, s3: Any, bucket: str, key: str, push: Callable[[Path], None], progress: Progress
) -> None:
    """Save an errored state if it continues the saved one; else keep it under another name. Call it under the lock.

    file: the errored state.
    push: replaces the saved state with that of a file.

    Raises:
        OperatorError: It could not be saved now.
    """
    errored = _parse(file.read_bytes())
    if errored is None:
        return _set_aside(file, "it is not a state", progress)
    saved = _saved(s3, bucket, key)
    if saved is not None:
        if saved == errored:
            return file.unlink()
        if saved["lineage"] != errored["lineage"]:
            return _set_aside(file, "another state has been saved since", progress)
        if saved["serial"] >= errored["serial"]:
            return _set_aside(file, "a newer state has been saved since", progress)
    count = len(errored["resources"])
    progress(f"saving the state that an earlier run could not save ({count} resources)", important=True)
    push(file)
    file.unlink()


def _saved(s3: Any, bucket: str, key: str) -> dict[str, Any] | None:
    """Return the saved state, or None if there is none. Terraform itself reports one that is not a state."""
    try:
        return _parse(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error_code(error) not in ("NoSuchKey", "NoSuchBucket", "404"):
            raise
        return None


def _parse(content: bytes) -> dict[str, Any] | None:
    """Return a state, or None if it is not one."""
    try:
        state = json.loads(content)
        valid = isinstance(state["serial"], int) and isinstance(state["lineage"], str)
        return state if valid and isinstance(state["resources"], list) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _set_aside(file: Path, reason: str, progress: Progress) -> None:
    time = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
    kept = file.rename(file.with_name(f"{file.name}.{time:%Y%m%dT%H%M%SZ}"))
    progress(
        f"the state that an earlier run could not save is not used, as {reason}; it is kept in {kept}",
        important=True,
    )
