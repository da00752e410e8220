"""The shims over commands that would change this machine."""

from __future__ import annotations

import os
import subprocess

from embedded_aws.services.ec2.disk import SHIM


def test_sudo_login_sets_the_home_folder(tmp_path):
    (tmp_path / "ann").mkdir()
    shim = tmp_path / "sudo"
    shim.symlink_to(SHIM)
    environment = {
        **os.environ,
        "EMBEDDED_AWS_HOMES": str(tmp_path),
        "EMBEDDED_AWS_RUN": str(tmp_path),
        "HOME": "/",
    }

    def home(*arguments: str) -> str:
        command = ["/bin/sh", str(shim), *arguments, "sh", "-c", "echo $HOME"]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert home("-u", "ann", "-i") == str(tmp_path / "ann")
    assert home("-i", "-u", "ann") == str(tmp_path / "ann")
    assert home("-u", "ann") == "/"
    assert home("-u", "nobody", "-i") == "/"
