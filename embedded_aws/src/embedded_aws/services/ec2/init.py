"""The first process of a host: runs the user data, and ends all processes when the host powers off.

Run as `init.py FILE`, as process 1 of new namespaces, or without namespaces. Imports the standard
library only. FILE has the configuration in JSON; it is removed. Exit status: 0 after a power-off, REBOOT after a
reboot, other values after a failure.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import Any

REBOOT = 10
GRACE_SECONDS = 3.0
PR_SET_CHILD_SUBREAPER = 36
MARKER = "EMBEDDED_AWS_INSTANCE"  # in the environment of every process of the host


def detach() -> int:
    """Without namespaces: continue in a child that adopts orphans. Returns a descriptor that closes with the parent.

    The parent stays in the process group that the embedded AWS kills: killing it ends the host.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(reading)
        signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    os.close(writing)
    os.setsid()
    try:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except AttributeError:
        say(
            "This system has no child subreaper: a process that leaves the host's session may outlive the host."
        )
    return reading


def members(instance: str, isolated: bool) -> set[int]:
    """Return the host's processes except this one: those of the namespace, else descendants and marked processes."""
    parents, found, marker = {}, set(), f"{MARKER}={instance}".encode()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state == b"Z":
                    continue
                parents[int(name)] = int(parent)
                if isolated:
                    found.add(int(name))
                    continue
                with open(f"/proc/{name}/environ", "rb") as file:
                    if marker in file.read().split(b"\0"):
                        found.add(int(name))
            except OSError:
                continue  # it has ended, or belongs to another user
    grown = True
    while grown:
        children = {p for p, parent in parents.items() if parent in found or parent == os.getpid()}
        grown = not children <= found
        found |= children
    return found - {os.getpid()}


def write(data: bytes) -> None:
    """Write to the console. Its reader may have ended; the processes must be ended in any case."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, data)


def say(text: str) -> None:
    """Write a line of the embedded AWS to the console."""
    write(f"[embedded AWS] {text}\n".encode())


class Init:
    """Waits for children, power commands and signals, without polling."""

    def __init__(self, config: dict[str, Any], parent: int | None) -> None:
        self.config, self.isolated = config, config["namespace"]
        self.scripts = list(config["scripts"])
        self.script: subprocess.Popen[bytes] | None = None
        self.failed = False
        self.power: tuple[float, int] | None = None  # when, exit status
        self.selector = selectors.DefaultSelector()
        for name in ("initctl", "console"):
            fifo = os.open(os.path.join(config["run"], name), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self.selector.register(fifo, selectors.EVENT_READ, name)
        waking, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        self.selector.register(waking, selectors.EVENT_READ, "signal")
        if parent is not None:
            self.selector.register(parent, selectors.EVENT_READ, "parent")
        self.ending = False
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _terminate(self, *_: object) -> None:
        self.ending = True

    def run(self) -> int:
        """Run until the host powers off. Returns the exit status."""
        self.next_script()
        while not self.ending:
            timeout = None if self.power is None else max(self.power[0] - time.monotonic(), 0)
            for key, _ in self.selector.select(timeout):
                if key.data == "parent":
                    self.ending = True
                    break
                data = os.read(key.fd, 65536)
                if key.data == "console":
                    write(data)
                elif key.data == "initctl":
                    self.command(data.decode(errors="replace"))
            self.reap()
            if self.power is not None and time.monotonic() >= self.power[0]:
                break
        status = 0 if self.ending or self.power is None else self.power[1]
        self.end_all()
        say("Restarting." if status == REBOOT else "Power down.")
        return status

    def next_script(self) -> None:
        """Start the next script that can be started; after the last one, report the outcome."""
        while self.scripts and self.script is None:
            path = self.scripts.pop(0)
            try:
                self.script = subprocess.Popen(
                    [path],
                    env=self.config["environment"],
                    cwd=self.config["cwd"],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                say(f"user data {path} cannot be run: {error.strerror}")
                self.failed = True
        if self.script is None and self.config["scripts"]:
            outcome = "failed" if self.failed else "finished"
            say(f"user data {outcome} {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}")

    def reap(self) -> None:
        """Collect ended processes. After the end of a script, start the next one."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if self.script is not None and pid == self.script.pid:
                code = os.waitstatus_to_exitcode(status)
                self.script.returncode, self.script = code, None
                if code:
                    self.failed = True
                    say(f"user data exited with status {code}")
                self.next_script()

    def command(self, text: str) -> None:
        """Handle the shims' commands: lines `poweroff SECONDS`, `reboot SECONDS` or `cancel`."""
        for line in text.splitlines():
            words = line.split()
            if words == ["cancel"]:
                self.power = None
            elif len(words) == 2 and words[0] in ("poweroff", "reboot") and words[1].isdecimal():
                self.power = (time.monotonic() + int(words[1]), REBOOT if words[0] == "reboot" else 0)
                if int(words[1]):
                    say(f"{words[0]} in {words[1]} s")

    def end_all(self) -> None:
        """Send SIGTERM to every process, then SIGKILL to those that remain."""
        signaled: set[int] = set()
        deadline = time.monotonic() + GRACE_SECONDS
        while running := members(self.config["id"], self.isolated):
            late = time.monotonic() > deadline
            for pid in running if late else running - signaled:
                for number in (signal.SIGKILL,) if late else (signal.SIGTERM, signal.SIGCONT):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            signaled |= running
            time.sleep(0.02)
            self.reap_quietly()

    def reap_quietly(self) -> None:
        """Collect ended processes."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        config = json.load(file)
    os.unlink(sys.argv[1])
    parent = None if config["namespace"] else detach()
    sys.exit(Init(config, parent).run())


if __name__ == "__main__":
    main()
