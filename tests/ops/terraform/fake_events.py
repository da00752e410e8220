"""Events as Terraform prints them with -json."""

from __future__ import annotations

import os
import pwd
import socket

ME = f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"


def planned(action: str, address: str) -> dict:
    return {"type": "planned_change", "change": {"action": action, "resource": {"addr": address}}}


def hook(kind: str, action: str, address: str) -> dict:
    return {"type": kind, "hook": {"action": action, "resource": {"addr": address}}}


def diagnostic(summary: str, detail: str = "", **more) -> dict:
    return {
        "type": "diagnostic",
        "diagnostic": {"severity": "error", "summary": summary, "detail": detail, **more},
    }


def locked(who: str) -> dict:
    return diagnostic(
        "Error acquiring the state lock",
        f"Error message: PreconditionFailed\nLock Info:\n  ID:        4711-abc\n  Path:      states/x\n"
        f"  Operation: OperationTypePlan\n  Who:       {who}\n  Version:   1.11.4\n",
    )
