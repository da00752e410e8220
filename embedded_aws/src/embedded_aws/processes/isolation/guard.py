"""In place of mount namespaces, where a system has none: Python itself refuses to change files. Standard library only.

Covers what Python's `open` and `os` do, not what libraries in C or other programs do.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Audit events of changes, with the number of paths that their arguments begin with.
CHANGES = {
    "os.mkdir": 1,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.utime": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
}


def refuse(folders: tuple[str, ...], allowed: tuple[str, ...] = ()) -> None:
    """Let this process fail with EROFS when it changes something in a folder.

    allowed: folders in which changes are allowed. Of folders below each other the lowest one decides.
    """
    rules = {os.path.realpath(path): True for path in folders} | {
        os.path.realpath(path): False for path in allowed
    }

    def is_refused(path: str | bytes) -> bool:
        full = os.path.realpath(os.fsdecode(path))
        above = [folder for folder in rules if full == folder or full.startswith(folder.rstrip("/") + "/")]
        return bool(above) and rules[max(above, key=len)]

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            changed = arguments[:1] if arguments[2] & WRITING else ()
        else:
            changed = arguments[: CHANGES.get(event, 0)]
        for path in changed:
            if isinstance(path, (str, bytes)) and is_refused(path):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    sys.addaudithook(check)
