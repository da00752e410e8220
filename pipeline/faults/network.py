"""Faults between the operator and AWS: unreachable, throttled, unavailable, dropped, hanging."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.faults import answers
from pipeline.faults.case import Case, Moment, References, require
from pipeline.faults.command import Command
from pipeline.faults.lab import Lab
from pipeline.faults.stages import DEPLOY, DOWN, FOUNDATION, SECOND, STATUS, UP


@dataclass(frozen=True, kw_only=True)
class Unreachable(Case):
    """Every connection is refused from a moment on, and the account keeps running."""

    moment: Moment

    def disturb(self, lab: Lab, references: References) -> str:
        command = lab.start(*self.stage.command)
        if self.moment.wait(command, references(self.stage)):
            lab.proxy.refuse()
        return require(command, fails=True)


@dataclass(frozen=True, kw_only=True)
class Unreliable(Case):
    """A share of all requests fails. The command itself must succeed.

    rate: from 0 to 1.
    kind: of the answers.
    """

    rate: float
    kind: str

    def disturb(self, lab: Lab, references: References) -> str:
        lab.proxy.fail(self.rate, self.kind)
        require(lab.start(*self.stage.command), fails=False)
        return "(the command itself succeeds)"


@dataclass(frozen=True, kw_only=True)
class Expired(Case):
    """The credentials expire in the middle. moment: when."""

    moment: Moment

    def disturb(self, lab: Lab, references: References) -> str:
        command = lab.start(*self.stage.command)
        if self.moment.wait(command, references(self.stage)):
            lab.proxy.fail(1, answers.EXPIRED)
        return require(command, fails=True, words="(?i)expired.*(sign in|aws sso login|credentials)")


@dataclass(frozen=True, kw_only=True)
class Hanging(Case):
    """A service accepts requests and never answers. `status` must answer within two minutes. service: as it signs."""

    service: str

    def disturb(self, lab: Lab, references: References) -> str:
        lab.proxy.hang(self.service)
        command = lab.start("status")
        command.wait(120)
        require(command, fails=False, words="no answer within")
        return command.line("no answer within")

    def again(self, lab: Lab) -> Command:
        return lab.run("status")


def cases() -> list[Case]:
    """Return every fault of the network."""
    middle = Moment(0.5, by_steps=True)
    found: list[Case] = [
        Unreachable(fault="AWS is unreachable from the middle on", stage=stage, moment=middle)
        for stage in (FOUNDATION, DEPLOY, DOWN)
    ]
    found += [
        Unreliable(fault=fault, stage=stage, end=end, start=start, rate=rate, kind=kind)
        for fault, rate, kind in (
            ("30 % of requests are throttled", 0.3, answers.THROTTLE),
            ("15 % of requests get a 503", 0.15, answers.UNAVAILABLE),
            ("10 % of connections are dropped", 0.1, answers.DROP),
        )
        for stage, end, start in ((UP, DEPLOY, None), (DOWN, None, SECOND))
    ]
    found += [
        Expired(fault="the credentials expire", stage=stage, moment=middle) for stage in (FOUNDATION, DEPLOY)
    ]
    return [
        *found,
        Hanging(
            fault="SageMaker does not answer", stage=STATUS, start=DEPLOY, end=DEPLOY, service="sagemaker"
        ),
    ]
