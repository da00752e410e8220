"""Interruptions by the operator or the terminal, in each stage: Ctrl-C, a closed window, kill -9 of the command."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from pipeline.faults.case import Case, Moment, References
from pipeline.faults.command import Command
from pipeline.faults.lab import Lab
from pipeline.faults.stages import DATA, DEPLOY, DOWN, FOUNDATION, TRAIN, TUNE

_CTRL_C = b"\x03"
_STAGES = (FOUNDATION, DATA, TUNE, TRAIN, DEPLOY, DOWN)
_TERRAFORM = (FOUNDATION, DEPLOY, DOWN)


@dataclass(frozen=True, kw_only=True)
class Interruption(Case):
    """The command is interrupted in the middle.

    moment: when.
    terminal: whether it runs on one.
    """

    moment: Moment
    terminal: bool = True

    def disturb(self, lab: Lab, references: References) -> str:
        command = lab.start(*self.stage.command, terminal=self.terminal)
        if not self.moment.wait(command, references(self.stage)):
            return f"(ended before it was interrupted) {command.message}"
        self.interrupt(command)
        return command.message if command.wait() else "(the command itself succeeds)"

    def interrupt(self, command: Command) -> None:
        """Interrupt the running command."""
        raise NotImplementedError


class ClosedTerminal(Interruption):
    """The window is closed: SIGHUP to the group, and every later write fails."""

    def interrupt(self, command: Command) -> None:
        command.close_terminal()

    def disturb(self, lab: Lab, references: References) -> str:
        super().disturb(lab, references)
        return "(nobody reads it)"


class CtrlCTwice(Interruption):
    """Ctrl-C, and again when nothing seems to happen."""

    def interrupt(self, command: Command) -> None:
        command.type(_CTRL_C)
        command.wait_until(lambda: False, seconds=0.5)
        command.type(_CTRL_C)


@dataclass(frozen=True, kw_only=True)
class KilledCommand(Interruption):
    """kill -9 of the command. What it started keeps running; with a terminal, the kernel would send SIGHUP."""

    terminal: bool = False

    def interrupt(self, command: Command) -> None:
        command.signal(signal.SIGKILL)

    def disturb(self, lab: Lab, references: References) -> str:
        super().disturb(lab, references)
        return "(killed)"


_KINDS = (
    ("the terminal is closed", ClosedTerminal),
    ("Ctrl-C twice", CtrlCTwice),
    ("kill -9 of the command", KilledCommand),
)


def cases() -> list[Case]:
    """Return every interruption in every stage."""
    return [
        kind(fault=fault, stage=stage, moment=Moment(0.5, by_steps=stage in _TERRAFORM))
        for fault, kind in _KINDS
        for stage in _STAGES
    ]
