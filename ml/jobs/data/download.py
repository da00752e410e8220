"""Download a large file over HTTP, and resume an interrupted download."""

import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

from ml.jobs.data.parallel import Progress, quiet
from ops.errors import OperatorError

ATTEMPTS = 5
PAUSE = 1.0  # seconds before the second attempt in a row without new data; doubles with every further one
_TIMEOUT = 30  # seconds without a byte
_CHUNK = 2**18
_KEEP_FREE = 256 * 2**20  # bytes


def download(url: str, target: Path, progress: Progress = quiet) -> Path:
    """Download url to target through `target.part`, which a later call resumes if the server still has that version.

    Raises OperatorError if the server refuses, ATTEMPTS attempts bring no new data, or the file does not fit on the disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part, version = target.with_name(target.name + ".part"), target.with_name(target.name + ".part.json")
    fruitless = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _attempt(url, part, version, progress)
            break
        except urllib.error.HTTPError as error:
            if error.code == 416 and before:  # the partial file does not belong to this version
                part.unlink()
                continue
            if error.code < 500 and error.code != 429:
                raise OperatorError(
                    f"{url} answered {error.code} {error.reason}: check the URL, or download it and give the file."
                ) from error
            failure: Exception = error
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            failure = error
        gained = (part.stat().st_size if part.exists() else 0) > before
        fruitless = 0 if gained else fruitless + 1
        if fruitless >= ATTEMPTS:
            raise OperatorError(
                f"{url} could not be downloaded ({failure}): run the command again to resume from {before:,} bytes, or give a "
                "folder or archive that you have."
            ) from failure
        if fruitless:
            time.sleep(PAUSE * 2 ** (fruitless - 1))
    part.replace(target)
    version.unlink(missing_ok=True)
    return target


def _attempt(url: str, part: Path, version: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "image-classifier-ops", "Accept-Encoding": "identity"}
    if have and version.exists() and (tag := _tag(version)):
        # The server sends the remaining bytes only if the file has not changed.
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as response:
        if response.status != 206:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else 0
        free = shutil.disk_usage(part.parent).free - _KEEP_FREE
        if total - have > free:
            raise OperatorError(
                f"{url} needs {total - have:,} more bytes and {part.parent} has room for {max(free, 0):,}: free some "
                "space and run the command again."
            )
        strong = response.headers.get("ETag") or response.headers.get("Last-Modified")
        version.write_text(
            json.dumps({"tag": strong if strong and not strong.startswith("W/") else None}), encoding="utf-8"
        )
        with open(part, "ab" if have else "wb") as sink:
            while chunk := response.read(_CHUNK):
                sink.write(chunk)
                have += len(chunk)
                progress("downloading", have, total)
        if total and have < total:
            raise http.client.IncompleteRead(b"", total - have)


def _tag(version: Path) -> str | None:
    """Return the version that a partial download belongs to; None if it is not known, as then it starts again."""
    try:
        tag = json.loads(version.read_bytes())["tag"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return tag if isinstance(tag, str) and tag.isascii() and tag.isprintable() else None
