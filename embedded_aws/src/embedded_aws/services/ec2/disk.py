"""The folders of an instance, and the shims over commands that would change this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SHIM = Path(__file__).with_name("shim.sh")
SHIMS = (
    "shutdown",
    "poweroff",
    "halt",
    "reboot",
    "init",
    "telinit",
    "systemctl",
    "service",
    "chkconfig",
    "sudo",
    "doas",
    "logger",
    "apt",
    "apt-get",
    "dpkg",
    "yum",
    "dnf",
    "rpm",
    "amazon-linux-extras",
    "snap",
    "zypper",
    "useradd",
    "userdel",
    "usermod",
    "adduser",
    "groupadd",
    "groupdel",
    "passwd",
    "chpasswd",
    "visudo",
    "mount",
    "umount",
    "swapon",
    "swapoff",
    "mkswap",
    "mkfs",
    "mkfs.ext4",
    "mkfs.xfs",
    "fdisk",
    "parted",
    "modprobe",
    "insmod",
    "rmmod",
    "sysctl",
    "hostnamectl",
    "hostname",
    "timedatectl",
    "iptables",
    "nft",
    "crontab",
)
# With namespaces, the instance has its own folder at each of these paths.
FOLDERS = {
    "/home": "home",
    "/root": "root",
    "/tmp": "tmp",
    "/var/tmp": "var-tmp",
    "/var/log": "var-log",
    "/run": "run",
    "/mnt": "mnt",
    "/srv": "srv",
}


def make_disk(disk: Path) -> None:
    """Create the folders and the shims. /run is emptied, the other folders keep their files from boot to boot."""
    for name in (*FOLDERS.values(), "home/ec2-user", "empty"):
        (disk / name).mkdir(parents=True, exist_ok=True)
    run = disk / "run"
    shutil.rmtree(run)
    shims = run / "shims"
    shims.mkdir(parents=True)
    for name in SHIMS:
        shutil.copy(SHIM, shims / name)
    for name in ("initctl", "console"):
        os.mkfifo(run / name)
