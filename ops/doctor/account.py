"""The AWS account: whether it answers, as whom, and by which clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from ops import sessions
from ops.aws import aws_errors
from ops.doctor.finding import Finding
from ops.environment import Environment
from ops.errors import OperatorError

SECONDS = 15.0
"""How long AWS has to answer."""
LARGEST_SKEW = 240
"""Seconds. AWS refuses signatures of a clock that differs by more than 300."""


def examine(connect: Callable[[], Environment], clock: float | None = None) -> list[Finding]:
    """Ask AWS whose credentials an environment has.

    connect: returns the environment. clock: the time of this machine in Unix seconds, by default now.
    """
    region = ""
    try:
        with aws_errors("./inv doctor"):
            env = connect()
            region = env.settings.region
            sessions.sign_in(env.session)
            answer = env.with_patience(SECONDS).client("sts").get_caller_identity()
    except OperatorError as error:
        reason, _, advice = str(error).rstrip(".").partition(": ")
        return [Finding("AWS", region, "stops", reason, advice or reason)]
    found = [Finding("AWS", answer["Arn"], "ok", "answers, and knows these credentials")]
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date:
        skew = (time.time() if clock is None else clock) - parsedate_to_datetime(date).timestamp()
        found.append(_clock(round(skew)))
    return found


def _clock(skew: int) -> Finding:
    """Return a finding about the clock, which is `skew` seconds ahead of AWS's."""
    if abs(skew) <= LARGEST_SKEW:
        return Finding("clock", f"{skew:+d} s", "ok", "agrees with AWS's")
    reason = "AWS refuses requests of a clock that differs by more than 5 minutes"
    return Finding(
        "clock", f"{skew:+d} s", "stops", reason, "set it, for example `sudo timedatectl set-ntp true`"
    )
