"""Codes of EC2's vCPU quotas by instance type, from "Amazon EC2 endpoints and quotas". Checked on 2026-11-29."""

from __future__ import annotations

import re

_STANDARD = ("L-1216C47A", "L-34B43A08")
_GRAPHICS = ("L-DB2E81BA", "L-3819A6DF")
# Letters before a type's first digit → codes for On-Demand and for Spot Instances; "" where AWS has none.
_FAMILIES = {
    **dict.fromkeys(("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"), _STANDARD),
    **dict.fromkeys(("g", "gr", "vt"), _GRAPHICS),
    "dl": ("L-6E869C2A", "L-85EED4F7"),
    "f": ("L-74FC7D96", "L-88CF9481"),
    "hpc": ("L-F7808C92", ""),
    "inf": ("L-1945791B", "L-B5D1601B"),
    "p": ("L-417A185B", "L-7212CCBC"),
    "trn": ("L-2C3B7624", "L-6B0D517C"),
    "u": ("L-43DA4232", ""),
    "x": ("L-7295265B", "L-E3A00192"),
}
_P5_SPOT = "L-C4BD4855"  # P5 and later; some accounts have one quota for all P instances instead


def codes_of(instance_type: str, spot: bool) -> list[str]:
    """Return the codes of the quota of an EC2 instance type; the first that the account has applies. Empty: no quota."""
    found = re.match(r"([a-z]+)-?(\d*)", instance_type)
    letters, generation = found.groups() if found else ("", "")
    code = _FAMILIES.get(letters, ("", ""))[spot]
    if spot and letters == "p" and int(generation or 0) >= 5:
        return [_P5_SPOT, code]
    return [code] if code else []
