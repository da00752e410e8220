"""Gives a program namespaces of its own, in which it sees its own folders and can write nowhere else. Linux only.

Arguments: OPTION... -- COMMAND... It changes into new user and mount namespaces and becomes COMMAND.
Imports the standard library only, and little of it: every container starts with it.

--own PATH FOLDER        show FOLDER at PATH, writable
--read-only PATH FOLDER  show FOLDER, or a file, at PATH
--memory PATH BYTES      an empty folder in memory at PATH, of at most BYTES
--keep PATH              leave PATH visible, read-only, also below one of the paths above
--hide PATH              an empty folder at PATH
--directory PATH         working directory
--isolated               a network namespace with nothing but the loopback interface
--network PID            join the user and network namespaces of a process
--processes              a process namespace as well: COMMAND is its process 1, and all end with it
--root                   user 0 inside; without it the user id stays the same
--report FILE            if COMMAND cannot be started, write the reason there

Other folders are read-only, except /proc, /sys and /dev. PATH may be missing, but not its top folder. Exit status 125:
the namespaces were refused; 126 or 127: COMMAND could not be started.
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import sys

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 8, 32, 4096, 16384
MS_PRIVATE = 1 << 18
# Flags that a remount must not clear.
KEPT_FLAGS = {"nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024, "nodiratime": 2048, "relatime": 1 << 21}
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, CAP_SYS_ADMIN = 1, 24, 21
SYSTEM_FOLDERS = ("/proc", "/sys", "/dev")
PAIRS = ("--own", "--read-only", "--memory")
FLAGS = ("--isolated", "--processes", "--root")
UNREACHABLE = (2, 13, 22)  # ENOENT, EACCES, EINVAL: another mount covers the mount point
REFUSED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise OSError if a system call failed."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def mount(
    source: str | None, target: str, flags: int, kind: str | None = None, data: str | None = None
) -> None:
    """Call mount(2). Raises OSError."""
    texts = [text if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    check(libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]), target)


def inside(path: str, folder: str) -> bool:
    """Return whether a path is a folder or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def mount_points() -> dict[str, int]:
    """Return the mount points of this namespace with the flags that a remount must keep."""
    found = {}
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            fields = line.split()
            point = os.fsdecode(fields[4].decode("unicode_escape").encode("latin-1"))
            options = fields[5].decode().split(",")
            found[point] = sum(KEPT_FLAGS.get(option, 0) for option in options)
    return found


class View:
    """The files that the program sees."""

    def __init__(self) -> None:
        self.before = mount_points()
        self.covered: list[str] = []  # paths that show something else than on this machine
        self.rebuilt: list[str] = []  # folders of this machine, rebuilt in memory with the same entries
        self.protected: list[tuple[str, int]] = []  # our mounts that become read-only, with the flags to keep

    def flags(self, path: str) -> int:
        """Return the flags of the mount that holds a path of this machine."""
        return self.before[max((point for point in self.before if inside(path, point)), key=len)]

    def is_covered(self, path: str) -> bool:
        return any(inside(path, cover) for cover in self.covered)

    def provide(self, path: str) -> None:
        """Make sure that a folder exists: if it is missing, rebuild the nearest one above it in memory."""
        above = path
        while not os.path.isdir(above):
            above = os.path.dirname(above)
        if above == "/" != path:
            raise OSError(f"this machine has no folder /{path.split('/')[1]}")
        if above != path and not self.is_covered(above) and above not in self.rebuilt:
            self.rebuild(above)
        os.makedirs(path, exist_ok=True)

    def rebuild(self, folder: str) -> None:
        """Replace a folder by one in memory that shows the same entries, read-only."""
        flags = self.flags(folder)
        opened = {}
        for entry in os.scandir(folder):
            opened[entry.path] = os.open(entry.path, os.O_PATH | os.O_NOFOLLOW)
        mount("tmpfs", folder, MS_NOSUID | MS_NODEV, "tmpfs", "mode=755")
        self.rebuilt.append(folder)
        self.protected.append((folder, MS_NOSUID | MS_NODEV))
        for path, descriptor in opened.items():
            if stat.S_ISLNK(os.fstat(descriptor).st_mode):
                os.symlink(os.readlink("", dir_fd=descriptor), path)
            else:
                self.show(descriptor, path)
                self.protected.append((path, self.before.get(path, flags)))

    def show(self, descriptor: int, path: str) -> None:
        """Bind an open file or folder to a path, which is created if it is missing."""
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self.provide(path)
        elif not os.path.exists(path):
            self.provide(os.path.dirname(path))
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        mount(f"/proc/self/fd/{descriptor}", path, MS_BIND | MS_REC)

    def empty(self, path: str, data: str) -> None:
        """Mount an empty folder in memory."""
        self.provide(path)
        mount("tmpfs", path, MS_NOSUID | MS_NODEV, "tmpfs", data)
        self.covered.append(path)

    def protect(self, kept: list[str]) -> None:
        """Make everything read-only that is not the program's own."""
        for path, flags in self.protected:
            mount(None, path, MS_REMOUNT | MS_BIND | MS_RDONLY | flags)
        for point, flags in self.before.items():
            system = any(inside(point, folder) for folder in SYSTEM_FOLDERS)
            invisible = self.is_covered(point) and not any(inside(point, path) for path in kept)
            if system or invisible or point in self.rebuilt:
                continue
            try:
                mount(None, point, MS_REMOUNT | MS_BIND | MS_RDONLY | flags)
            except OSError as error:
                if error.errno not in UNREACHABLE:
                    raise


def arrange(options: list[tuple[str, ...]]) -> None:
    """Mount what the options say. Raises OSError."""
    view = View()
    mount(None, "/", MS_REC | MS_PRIVATE)
    # Sorted: a folder comes before those below it. Everything is opened before anything is covered.
    shown = sorted((path, name, source) for name, path, source in (o for o in options if o[0] in PAIRS))
    opened = {source: os.open(source, os.O_PATH) for _, name, source in shown if name != "--memory"}
    literal = [path for name, path in (o for o in options if len(o) == 2) if name == "--keep"]
    kept = {path: os.open(path, os.O_PATH) for path in sorted({*literal, *map(os.path.realpath, literal)})}
    for path, name, source in shown:
        path = os.path.realpath(path)
        if name == "--memory":
            view.empty(path, f"size={source},mode=1777")
            continue
        view.show(opened[source], path)
        view.covered.append(path)
        if name == "--read-only":
            view.protected.append((path, view.flags(os.path.realpath(source))))
    for name, path in (o for o in options if len(o) == 2):
        if name == "--hide" and os.path.isdir(path) and not view.is_covered(os.path.realpath(path)):
            view.empty(os.path.realpath(path), "mode=755")
            view.protected.append((os.path.realpath(path), MS_NOSUID | MS_NODEV))
    for path, descriptor in kept.items():
        if view.is_covered(path):
            view.show(descriptor, path)
            view.protected.append((path, view.flags(os.path.realpath(path))))
    view.protect(list(kept))
    for descriptor in {*opened.values(), *kept.values()}:
        os.close(descriptor)


def change_namespaces(options: dict[str, str]) -> None:
    """Enter new namespaces. Raises OSError."""
    if holder := options.get("--network"):
        for name, kind in (("user", CLONE_NEWUSER), ("net", CLONE_NEWNET)):
            descriptor = os.open(f"/proc/{holder}/ns/{name}", os.O_RDONLY)
            check(libc.setns(descriptor, kind), f"{name} namespace")
            os.close(descriptor)
    user, group = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | (0 if holder else CLONE_NEWUSER)
    flags |= CLONE_NEWNET if "--isolated" in options else 0
    flags |= CLONE_NEWPID if "--processes" in options else 0
    check(libc.unshare(ctypes.c_int(flags)), "namespaces")
    if holder:
        return
    inner = (0, 0) if "--root" in options else (user, group)
    for file, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{inner[0]} {user} 1"),
        ("gid_map", f"{inner[1]} {group} 1"),
    ):
        with open(f"/proc/self/{file}", "w", encoding="ascii") as target:
            target.write(line)
    if "--isolated" in options:
        start_loopback()


def start_loopback() -> None:
    """Set the loopback interface up: in a new network namespace it is down. Raises OSError."""
    import fcntl
    import socket
    import struct

    get_flags, set_flags, up = 0x8913, 0x8914, 0x1  # linux/sockios.h, linux/if.h
    with socket.socket() as any_socket:
        request = struct.pack("16sh22x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(any_socket, get_flags, request), 16)
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh22x", b"lo", flags | up))


def become_first_process() -> None:
    """Continue as process 1 of the new process namespace. This process waits for it, and takes it along when it ends."""
    child = os.fork()
    if child:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(status if status >= 0 else 128 - status)
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "parent")
    mount("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "proc")


def parse(arguments: list[str]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return options with their values, and the command."""
    options: list[tuple[str, ...]] = []
    while (name := arguments.pop(0)) != "--":
        count = 2 if name in PAIRS else 0 if name in FLAGS else 1
        options.append((name, *(arguments.pop(0) for _ in range(count))))
    return options, arguments


def main() -> None:
    options, command = parse(sys.argv[1:])
    single = {option[0]: option[-1] for option in options}
    try:
        change_namespaces(single)
        if "--processes" in single:
            become_first_process()
        arrange(options)
        # Without this capability the program cannot change a mount, whatever its user id is.
        check(libc.prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0), "capabilities")
    except (OSError, AttributeError) as error:  # AttributeError: the C library lacks these calls
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(REFUSED)
    try:
        os.chdir(single.get("--directory", "/"))
        os.execvp(command[0], command)
    except OSError as error:
        if report := single.get("--report"):
            with open(report, "w", encoding="utf-8") as file:
                file.write(f"The entrypoint could not be started: {error}: {command[0]!r}")
        sys.exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)
