"""A Python environment of a container: what it installs stays there, over this machine's packages.

A virtual environment without pip of its own: the pip of this machine's environment installs into it.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from pathlib import Path

from embedded_aws.processes.isolation import guard

PATH = "/opt/packages"  # where containers see it
CONFIGURATION = "home = {home}\ninclude-system-site-packages = false\nversion = {version}\n"


def create(folder: Path, *refused: str) -> None:
    """Create the environment in an empty folder.

    refused: folders that its Python refuses to change, for systems without namespaces.
    """
    version = "{}.{}".format(*sys.version_info)
    packages = folder / "lib" / f"python{version}" / "site-packages"
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    base = Path(getattr(sys, "_base_executable", sys.executable))
    for name in ("python", "python3", f"python{version}"):
        (folder / "bin" / name).symlink_to(base)
    text = CONFIGURATION.format(home=base.parent, version="{}.{}.{}".format(*sys.version_info))
    (folder / "pyvenv.cfg").write_text(text, encoding="utf-8")
    lines = [f"import site; site.addsitedir({path!r})" for path in _of_this_machine()]
    if refused:
        lines.append(f"import {guard.__name__} as guard; guard.refuse({refused!r})")
    (packages / "_of_this_machine.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _of_this_machine() -> list[str]:
    """Return the folders of the packages that this process uses, in order."""
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    return [path for path in dict.fromkeys(paths) if Path(path).is_dir()]


def pip_configuration() -> Path | None:
    """Return the file in which this machine's user has set where pip finds packages, if there is one."""
    if "PIP_CONFIG_FILE" in os.environ:
        return Path(os.environ["PIP_CONFIG_FILE"])
    places = (Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf")
    return next((path for path in places if path.exists()), None)
