"""The listening socket of a server: bound by the command that starts it, and inherited by the server process.

A port that is only tested and bound later may be another server's by then.
"""

from __future__ import annotations

import socket
from pathlib import Path

from embedded_aws.errors import EmbeddedAwsError

FIRST_PORT = 5005
PORTS = 100  # that are tried
ANY_PORT = 0
QUEUE = 256  # connections that wait to be accepted


def listen(home: Path, wanted: int | None, last: int | None) -> socket.socket:
    """Return a socket that listens on a port of 127.0.0.1.

    wanted: the port; ANY_PORT lets the system choose one; None the last one, or else the first free one from 5005.
    last: the port of the last start of `home`.

    Raises EmbeddedAwsError if the port is used by another program.
    """
    if wanted is not None:
        found = _listening(wanted)
        if found is None:
            raise EmbeddedAwsError(
                f"Port {wanted} of 127.0.0.1 is used by another program. Choose another one."
            )
        return found
    for port in (*([last] if last else []), *range(FIRST_PORT, FIRST_PORT + PORTS)):
        found = _listening(port)
        if found is not None:
            return found
    raise EmbeddedAwsError(
        f"No port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is free for {home}. Choose one."
    )


def inherited(descriptor: int) -> socket.socket:
    """Return the socket that the starting command left open, and keep it from this process's children."""
    found = socket.socket(fileno=descriptor)
    found.set_inheritable(False)
    return found


def port_of(listener: socket.socket) -> int:
    """Return the port of a listening socket."""
    return int(listener.getsockname()[1])


def _listening(port: int) -> socket.socket | None:
    """Return a socket that listens on a port, or None. Only listening is exclusive: two sockets can be bound to a port."""
    candidate = socket.socket()
    try:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        candidate.bind(("127.0.0.1", port))
        candidate.listen(QUEUE)
    except (OSError, OverflowError):
        candidate.close()
        return None
    return candidate
