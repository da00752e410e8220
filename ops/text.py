"""Sentences for people, built from messages of AWS and of programs; text files that people write."""

from __future__ import annotations

from pathlib import Path

from ops.errors import OperatorError

MAX_LENGTH = 600


def sentence(message: str, longest: int = MAX_LENGTH) -> str:
    """Return a message on one line, at most `longest` characters long, that ends with one mark.

    Messages of AWS end with a full stop or without one. Without this, what follows would run into them.
    """
    text = " ".join(message.split())
    if len(text) > longest:
        text = f"{text[: longest - 1].rstrip()}…"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def clause(message: str, longest: int = MAX_LENGTH) -> str:
    """Return a message on one line without its full stop, for the middle of a sentence."""
    return sentence(message, longest).rstrip(".")


def read_file(path: Path) -> str:
    """Return a text file that people edit, without a byte order mark. Raises OperatorError if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise OperatorError(
            f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x} at {error.start:,}): save it as UTF-8."
        ) from error
