#!/usr/bin/env python3
"""What a notebook instance or a Studio application runs: its lifecycle scripts, then JupyterLab, again whenever it ends.

Standard library only: it is copied onto the machine and started there as a bare script. It reads `boot.json` in the
folder that EMBEDDED_AWS_RUN names, and tells on its standard output what happens, a JSON object a line:
{"stream": NAME, "line": TEXT} of what a script or JupyterLab printed, {"script": NAME, "status": EXIT STATUS} when a
script has ended, with null for one that took too long. After a failure it ends, with exit status 1.
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
LINE_BYTES = 200_000  # of one event; CloudWatch Logs takes 256 KB
LAST_LINES_SECONDS = (
    1.0  # for output of a script that has ended; what it left behind may hold the pipe for ever
)

_writing = threading.Lock()


def tell(**event: Any) -> None:
    """Print one event. The reader may be gone: then this machine is being ended."""
    try:
        with _writing:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)


def pump(stream: str, pipe: IO[bytes]) -> None:
    while line := pipe.readline(LINE_BYTES):
        tell(stream=stream, line=line.decode(errors="replace").rstrip("\n"))


def start(stream: str, command: list[str], environment: dict[str, str], directory: str):
    """A process in a session of its own, and the thread that tells what it prints."""
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
    """Run a lifecycle script to its end, or for as long as it may take. Whether it succeeded."""
    # As AWS does it: bash runs the file, whatever its first line is.
    command = ["/bin/bash", "-c", str(run / script["file"])]
    child, reader = start(script["stream"], command, {}, config["directory"])
    try:
        status = child.wait(config["limit"])
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        status = None
    reader.join(LAST_LINES_SECONDS)
    tell(script=script["stream"], status=status)
    return status == 0


def main() -> int:
    run = Path(os.environ["EMBEDDED_AWS_RUN"])
    config = json.loads((run / "boot.json").read_text())
    for script in config["scripts"]:
        if not run_script(script, config, run):
            return 1
    while True:  # as the service manager of AWS's image does
        jupyter = config["jupyter"]
        child, reader = start(
            jupyter["stream"], jupyter["command"], jupyter["environment"], jupyter["directory"]
        )
        child.wait()
        reader.join(LAST_LINES_SECONDS)
        time.sleep(RESTART_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
