"""The error of a Terraform command that failed: what happened, the remedy, and what Terraform reported."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path

from ops.aws import remedy
from ops.errors import OperatorError, Unfinished
from ops.terraform import events, providers
from ops.terraform.events import Event
from ops.terraform.reachability import UNREACHABLE_SECONDS
from ops.text import sentence

_SHOWN = 3  # errors
_EVENT_BYTES = 100_000
_LONGEST = 700  # characters of what Terraform reported, where a remedy is known
_NO_ANSWER = re.compile(
    r"connection refused|connection reset|no such host|i/o timeout|TLS handshake timeout|network is unreachable|"
    r"no route to host|context deadline exceeded"
)
# How the AWS SDK in the provider reports a refusal.
_REFUSAL = re.compile(
    r"operation error [\w ]+: (\w+), https response error StatusCode: \d+, RequestID: [^,]*,(?: HostID: [^,]*,)?"
    r"(?: api error)? "
)


def error(
    command: str, root: str, code: int, errors: list[Event], log: Path, errored_state: Path
) -> OperatorError:
    """Return the error of a failed command; Unfinished if the same command resumes it as soon as AWS allows.

    code: exit code; negative if a signal ended Terraform.
    log: its output.
    errored_state: where Terraform leaves a state that it could not save.
    """
    if code < 0:
        name = signal.Signals(-code).name
        return Unfinished(
            f"{name} ended Terraform during {command} of {root}: run the same command again to resume."
        )
    if not errors and _is_cut_off(log):
        return Unfinished(
            f"Terraform could not write its output to {log} during {command} of {root}: the disk is full, or files may not "
            "grow. Make room, then run the same command again to resume."
        )
    text = _diagnostics(errors, log) or _tail(log)
    if command == "apply" and errored_state.exists():
        advice = (
            f"The state of {root} could not be saved on AWS. It is in {errored_state}: run the same command again on this "
            "machine, which saves it and resumes."
        )
    elif providers.is_unreachable(text):
        advice = providers.HOW_TO
    elif found := remedy(text):
        advice = found
    elif _NO_ANSWER.search(text):
        advice = f"AWS did not answer during terraform {command} of {root}: {_network()}, then run the same command again to resume."
    else:
        return OperatorError(f"terraform {command} of {root} failed: {text}")
    return Unfinished(f"{advice} Terraform reported: {sentence(text, _LONGEST)}")


def unreachable(command: str, root: str, reason: str, errored_state: Path) -> OperatorError:
    """Return the error of a command that was stopped because AWS could not be reached.

    reason: a clause. errored_state: as of `error`.
    """
    state = ""
    if command == "apply" and errored_state.exists():
        state = f" on this machine, which has the state in {errored_state}"
    elif command == "apply":
        state = ", which adopts what has been created"
    return Unfinished(
        f"AWS has not been reachable for {UNREACHABLE_SECONDS:.0f} s, so Terraform was stopped during {command} of {root} "
        f"({reason}): {_network()}, then run the same command again to resume{state}."
    )


def _diagnostics(errors: list[Event], log: Path) -> str:
    """Return the first errors on one line."""
    texts = []
    for error in errors[:_SHOWN]:
        address = f" ({error['address']})" if error.get("address") else ""
        detail = _plain(error.get("detail", ""))
        texts.append(f"{_plain(error['summary']).rstrip('.')}{address}{': ' + detail if detail else ''}")
    more = f" (and {len(errors) - _SHOWN} more, in {log})" if len(errors) > _SHOWN else ""
    return "; ".join(texts) + more


def _plain(text: str) -> str:
    """Return a text on one line, with AWS's operation, code and message in place of the SDK's report of a response."""
    return _REFUSAL.sub(r"AWS refused \1: ", " ".join(text.split()))


def _tail(log: Path) -> str:
    lines = [
        events.parse(line).get("@message", "")
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    return " ".join(line for line in lines if line.strip())[-600:] or "it printed nothing"


def _is_cut_off(log: Path) -> bool:
    """Return whether the output ends within an event, or the disk has no room for one."""
    last = log.read_bytes().rpartition(b"\n")[2]
    return last.startswith(b"{") or shutil.disk_usage(log.parent).free < _EVENT_BYTES


def _network() -> str:
    """Return what to check."""
    if os.environ.get("AWS_ENDPOINT_URL"):
        return "./inv local.status shows whether the embedded AWS is running"
    return "check the network, and the service on health.aws.amazon.com"
