"""Runs commands in an environment full of traps, where only loopback can be reached. Prints what happened as JSON.

Started by test_environment_leaks.py, in a network namespace of its own if Linux allows one.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading

COMMANDS = (
    ("apply", "--stack", "foundation"),
    ("data",),
    ("plan", "--stack", "foundation"),
    ("status",),
    ("doctor",),
)
_SET_FLAGS, _UP = 0x8914, 1  # SIOCSIFFLAGS, IFF_UP


def bring_up_loopback() -> None:
    """Bring up the loopback interface of a new network namespace."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))


def record(server: socket.socket, seen: list[str]) -> None:
    """Note the first line of what every client sends, and answer nothing."""
    while True:
        client, _ = server.accept()
        client.settimeout(2)
        try:
            seen.append(client.recv(200).decode(errors="replace").split("\r\n")[0])
        except OSError:
            seen.append("a connection")
        client.close()


def main() -> None:
    plan = json.loads(sys.stdin.read())
    if plan["namespace"]:
        bring_up_loopback()
    seen: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=record, args=(server, seen), daemon=True).start()
    trap = f"http://127.0.0.1:{server.getsockname()[1]}"
    environment = {name: value.replace("TRAP", trap) for name, value in plan["environment"].items()}
    for path, text in plan["files"].items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("TRAP", trap))

    def run(*words: str) -> dict[str, object]:
        done = subprocess.run(
            [*plan["program"], *words], env=environment, capture_output=True, text=True, cwd=plan["folder"]
        )
        return {"words": words, "code": done.returncode, "out": done.stdout, "error": done.stderr}

    try:
        results = [run(*words, "--json") for words in COMMANDS]
    finally:
        run("local.down", "--forget")
    print(json.dumps({"results": results, "seen": seen}))


if __name__ == "__main__":
    main()
