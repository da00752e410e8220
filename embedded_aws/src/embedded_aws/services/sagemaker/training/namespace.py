"""An isolated network for a job's processes, made of Linux's unprivileged namespaces.

Run as a script; it needs only the standard library.

hold: create a user and a network namespace with only the loopback interface, print "ready", and keep them until standard
input closes.
enter PID COMMAND...: run COMMAND in the namespaces of the holder PID. User ids stay the same, so COMMAND gets no
further rights.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1  # linux/sockios.h, linux/if.h


def hold() -> None:
    """Create the namespaces. Raises OSError if the system does not allow it."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for file, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        Path("/proc/self", file).write_text(line, encoding="utf-8")
    with socket.socket() as any_socket:
        request = struct.pack("16sh22x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))
    print("ready", flush=True)
    sys.stdin.read()


def enter(holder: str, command: list[str]) -> None:
    """Replace this process by the command. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    for name, kind in (("user", CLONE_NEWUSER), ("net", CLONE_NEWNET)):
        namespace = os.open(f"/proc/{holder}/ns/{name}", os.O_RDONLY)
        if libc.setns(namespace, kind):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        os.close(namespace)
    os.execvp(command[0], command)


if __name__ == "__main__":
    try:
        enter(sys.argv[2], sys.argv[3:]) if sys.argv[1] == "enter" else hold()
    except (OSError, AttributeError) as error:  # AttributeError: the C library lacks these calls
        sys.exit(f"{type(error).__name__}: {error}")
