"""What is destructive asks for the environment's name outside the embedded AWS."""

import sys
from types import SimpleNamespace

import pytest

from cli import confirm
from ops import console, settings
from ops.errors import OperatorError

WHAT = "remove environment dev"


@pytest.fixture
def terminal(monkeypatch, capsys):
    """Return a function that lets standard input be a terminal with a line typed, or not be one."""

    def type_in(line: str | None) -> None:
        monkeypatch.setattr(
            sys, "stdin", SimpleNamespace(isatty=lambda: line is not None, readline=lambda: line)
        )
        monkeypatch.setattr("builtins.input", lambda prompt: line)

    console.console.cache_clear()
    yield type_in
    console.console.cache_clear()


@pytest.mark.parametrize("typed", ["dev", " dev "])
def test_the_name_of_the_environment_is_accepted(terminal, typed):
    terminal(typed)
    confirm.check(settings.load("dev"), False, WHAT)
    confirm.ask(settings.load("dev"), False, WHAT)


@pytest.mark.parametrize("typed", ["", "prod", "yes", "DEV"])
def test_anything_else_is_refused(terminal, typed):
    terminal(typed)
    with pytest.raises(OperatorError, match=f"{typed!r} is not 'dev': nothing was changed"):
        confirm.ask(settings.load("dev"), False, WHAT)


def test_without_a_terminal_yes_is_needed(terminal):
    terminal(None)
    for function in (confirm.check, confirm.ask):
        with pytest.raises(OperatorError, match=r"remove environment dev, .* no terminal .* with --yes\.$"):
            function(settings.load("dev"), False, WHAT)
        function(settings.load("dev"), True, WHAT)


def test_the_embedded_aws_asks_nothing(terminal):
    terminal(None)
    confirm.ask(settings.load("local"), False, WHAT)
