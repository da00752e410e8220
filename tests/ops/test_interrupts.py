"""Signals become an exception, or are kept until a block has ended."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from ops import interrupts
from ops.interrupts import Interrupted


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_raised_and_names_itself(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as raised, interrupts.raised():
        send(number)
    assert raised.value.signal == number
    assert signal.getsignal(number) is before


def test_deferred_signals_are_raised_once_after_the_block():
    steps = []
    with pytest.raises(Interrupted) as raised, interrupts.raised():
        with interrupts.deferred(lambda: steps.append("first")):
            send(signal.SIGTERM)
            send(signal.SIGINT)
            steps.append("the block has ended")
        steps.append("not reached")
    assert steps == ["first", "the block has ended"]
    assert raised.value.signal == signal.SIGTERM


def test_without_a_signal_nothing_is_raised():
    with interrupts.raised(), interrupts.deferred(lambda: pytest.fail("no signal was sent")):
        pass


def test_another_thread_leaves_signals_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def run() -> None:
        with interrupts.raised(), interrupts.deferred():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]
