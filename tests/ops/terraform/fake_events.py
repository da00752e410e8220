"""Events as Terraform prints them with -json."""

from __future__ import annotations


def planned(action: str, address: str) -> dict:
    return {"type": "planned_change", "change": {"action": action, "resource": {"addr": address}}}


def hook(kind: str, action: str, address: str) -> dict:
    return {"type": kind, "hook": {"action": action, "resource": {"addr": address}}}


def diagnostic(summary: str, detail: str = "", **more) -> dict:
    return {
        "type": "diagnostic",
        "diagnostic": {"severity": "error", "summary": summary, "detail": detail, **more},
    }
