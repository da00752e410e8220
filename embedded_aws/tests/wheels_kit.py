"""A package that nobody has installed, as a wheel: for tests of requirements files, without a network."""

from __future__ import annotations

import io
import zipfile

NAME, VERSION = "embedded_aws_sample", "1.0"
FILE = f"wheels/{NAME}-{VERSION}-py3-none-any.whl"
REQUIREMENTS = f"--no-index\n--find-links wheels\n{NAME}=={VERSION}\n"
ANSWER = 42


def wheel() -> bytes:
    """Return the wheel. The module has the attribute `answer`."""
    info = f"{NAME}-{VERSION}.dist-info"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{NAME}.py", f"answer = {ANSWER}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()
