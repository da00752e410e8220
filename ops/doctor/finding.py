"""One row of what `./inv doctor` reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Effect = Literal["ok", "matters", "ignored", "stops"]


@dataclass(frozen=True)
class Finding:
    """A variable, a file or a property of this machine.

    name: as its owner knows it.
    seen: where: "shell", a path, or a value such as a version. Never the value of a variable, which may be a secret.
    effect: ok: needs no attention. matters: changes what commands do. ignored: has no effect. stops: will stop a command.
    reason: what the effect is.
    advice: what to do; empty if nothing.
    """

    name: str
    seen: str
    effect: Effect
    reason: str
    advice: str = ""
