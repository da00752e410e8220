"""Provider installation for Terraform: from a copy on this machine, else from the registry."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from pathlib import Path

from ops.errors import OperatorError
from ops.paths import ROOT, WORK

PROVIDER = "hashicorp/aws"
HOW_TO = (
    "The Terraform provider hashicorp/aws could not be downloaded and is not on this machine: connect to the network "
    "once, or set TF_PLUGIN_DIR to a folder with a provider mirror, or to the https URL of one."
)


@cache
def cli_config() -> Path:
    """Return the Terraform CLI configuration. Terraform reads no other: one of the operator's could replace providers.

    It installs the provider from a mirror, if there is one; Terraform still checks it against the committed lock file.
    Otherwise it shares downloads between the stacks.

    Raises:
        OperatorError: TF_PLUGIN_DIR is set and has no copy.
    """
    cache_folder = WORK / "terraform" / "providers"
    cache_folder.mkdir(parents=True, exist_ok=True)
    lines = [f'plugin_cache_dir = "{cache_folder}"']
    if url := network_mirror():
        mirror = f'network_mirror {{\n    url     = "{url}"'
    elif folder := find_mirror():
        mirror = f'filesystem_mirror {{\n    path    = "{folder}"'
    else:
        mirror = ""
    if mirror:
        lines = [
            "provider_installation {",
            f'  {mirror}\n    include = ["{PROVIDER}"]\n  }}',
            f'  direct {{\n    exclude = ["{PROVIDER}"]\n  }}',
            "}",
        ]
    path = WORK / "terraform" / "cli.tfrc"
    text = "\n".join(lines) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    return path


def network_mirror() -> str:
    """Return the URL of a network mirror that TF_PLUGIN_DIR names, with a slash at its end; else an empty string."""
    named = os.environ.get("TF_PLUGIN_DIR", "")
    return f"{named.rstrip('/')}/" if named.startswith("https://") else ""


def find_mirror() -> Path | None:
    """Return the folder of a provider mirror that has the locked version for this machine, or None.

    Raises:
        OperatorError: TF_PLUGIN_DIR is set and has no copy.
    """
    named = os.environ.get("TF_PLUGIN_DIR")
    folders = [Path(named).expanduser()] if named else _usual_folders()
    version, machine = locked_version(), _machine()
    for folder in folders:
        unpacked = folder.glob(f"*/{PROVIDER}/{version}/{machine}")
        packed = folder.glob(f"*/{PROVIDER}/terraform-provider-aws_{version}_{machine}.zip")
        if any(unpacked) or any(packed):
            return folder.resolve()
    if named:
        raise OperatorError(
            f"TF_PLUGIN_DIR is {named}, which has no */{PROVIDER}/{version}/{machine}: set it to the folder that contains "
            "the registry's folder, or unset it."
        )
    return None


@cache
def locked_version() -> str:
    """Return the version of the provider in the committed lock file."""
    text = (ROOT / "terraform" / "foundation" / ".terraform.lock.hcl").read_text(encoding="utf-8")
    found = re.search(r'version\s*=\s*"([^"]+)"', text)
    if not found:
        raise OperatorError(
            "terraform/foundation/.terraform.lock.hcl has no provider version: restore the file."
        )
    return found.group(1)


def is_unreachable(message: str) -> bool:
    """Return whether a message of Terraform means that it could not download the provider."""
    return bool(re.search(r"Failed to (query available|install) provider|could not connect to", message))


def _usual_folders() -> list[Path]:
    home = Path.home()
    shared = os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
    data = Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share"))
    folders = [
        home / ".terraform.d" / "plugins",
        data / "terraform" / "plugins",
        home / "Library" / "Application Support" / "io.terraform" / "plugins",
        *(Path(folder) / "terraform" / "plugins" for folder in shared if folder),
    ]
    opt = Path("/opt")
    if opt.is_dir():
        children = sorted(child for child in opt.iterdir() if child.is_dir())
        folders += children
        folders += [child / "plugins" for child in children] + [child / "providers" for child in children]
    return folders


def _machine() -> str:
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system(), platform.system().lower())
    processor = platform.machine().lower()
    return system + "_" + {"x86_64": "amd64", "aarch64": "arm64"}.get(processor, processor)
