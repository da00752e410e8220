"""User data of RunInstances: extracts the scripts that the instance runs."""

from __future__ import annotations

import base64
import email
import gzip
import zlib
from dataclasses import dataclass

from embedded_aws.services.ec2.exceptions import InvalidUserData

MAX_BYTES = 16_384
SCRIPT, PER_BOOT = "text/x-shellscript", "text/x-shellscript-per-boot"
# Formats of cloud-init that are not supported.
REFUSED = ("#cloud-config", "#include", "#cloud-boothook", "#part-handler", "## template:", "#upstart-job")


@dataclass(frozen=True)
class Script:
    """A script of the user data."""

    content: bytes
    """With the shebang line."""

    every_boot: bool = False
    """Run it on every boot, not on the first one only."""


def scripts(encoded: str) -> list[Script]:
    """Return the scripts in the order in which they run: those of every boot come first.

    encoded: user data as RunInstances takes it, in base64: a script, or a MIME archive of scripts.
    Raises InvalidUserData if it is too large, NotImplementedError for a format of cloud-init that is not supported.
    """
    content = base64.b64decode(encoded)
    if len(content) > MAX_BYTES:
        raise InvalidUserData(f"User data is limited to {MAX_BYTES} bytes")
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            raise InvalidUserData("User data starts as gzip, and cannot be decompressed.") from None
    if content[:13].lower() == b"content-type:" or content[:13].lower() == b"mime-version:":
        return _parts(content)
    _refuse(content.decode(errors="replace"))
    return [Script(content)] if content.startswith(b"#!") else []


def _parts(content: bytes) -> list[Script]:
    found: list[Script] = []
    for part in email.message_from_bytes(content).walk():
        kind = part.get_content_type()
        if part.is_multipart():
            continue
        if kind not in (SCRIPT, PER_BOOT, "text/plain"):
            raise NotImplementedError(f"user data of type {kind}: use a script ({SCRIPT})")
        body = part.get_payload(decode=True)
        assert isinstance(body, bytes)
        _refuse(body.decode(errors="replace"))
        if body.startswith(b"#!"):
            found.append(Script(body, kind == PER_BOOT))
    return sorted(found, key=lambda script: not script.every_boot)  # the order of cloud-init's modules


def _refuse(text: str) -> None:
    for start in REFUSED:
        if text.startswith(start):
            raise NotImplementedError(f"user data that starts with {start}: use a script (#!)")
