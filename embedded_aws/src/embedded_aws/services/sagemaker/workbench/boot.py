#!/usr/bin/env python3
"""The main process of a notebook instance or Studio application: runs lifecycle scripts, then JupyterLab.

It restarts JupyterLab when it ends, and exits with status 1 when a script fails. It is copied to the machine and run as a
script, so it needs only the standard library. It reads `boot.json` in the folder EMBEDDED_AWS_RUN and prints one JSON
object per line:

{"stream": NAME, "line": TEXT}: output of a script or of JupyterLab.
{"script": NAME, "status": EXIT_STATUS}: a script has ended; null after a timeout.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

RESTART_SECONDS = 1.0
LINE_BYTES = 200_000  # per event; the limit of CloudWatch Logs is 256 KB
# Time to read the last output of a script that has ended: a process that it left behind may keep the pipe open.
LAST_LINES_SECONDS = 1.0

_writing = threading.Lock()


def emit(**event: Any) -> None:
    """Print one event. Exit if nobody reads it: then the machine is being stopped."""
    try:
        with _writing:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)


def pump(stream: str, pipe: IO[bytes]) -> None:
    while line := pipe.readline(LINE_BYTES):
        emit(stream=stream, line=line.decode(errors="replace").rstrip("\n"))


def start(
    stream: str, command: list[str], environment: dict[str, str], directory: str
) -> tuple[subprocess.Popen[bytes], threading.Thread]:
    """Start a process in a new session, and a thread that emits its output."""
    child = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    reader = threading.Thread(target=pump, args=(stream, child.stdout), daemon=True)
    reader.start()
    return child, reader


def run_script(script: dict[str, str], config: dict[str, Any], run: Path) -> bool:
    """Run a lifecycle script until it ends or times out. Return whether it succeeded."""
    # As on AWS, bash runs the file, whatever its first line is.
    command = ["/bin/bash", "-c", str(run / script["file"])]
    child, reader = start(script["stream"], command, {}, config["directory"])
    try:
        status: int | None = child.wait(config["limit"])
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        status = None
    reader.join(LAST_LINES_SECONDS)
    emit(script=script["stream"], status=status)
    return status == 0


def main() -> int:
    run = Path(os.environ["EMBEDDED_AWS_RUN"])
    config = json.loads((run / "boot.json").read_text(encoding="utf-8"))
    for script in config["scripts"]:
        if not run_script(script, config, run):
            return 1
    while True:  # like the service manager of AWS's image
        jupyter = config["jupyter"]
        child, reader = start(
            jupyter["stream"], jupyter["command"], jupyter["environment"], jupyter["directory"]
        )
        child.wait()
        reader.join(LAST_LINES_SECONDS)
        time.sleep(RESTART_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
