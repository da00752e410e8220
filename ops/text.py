"""Sentences for people, built from messages of AWS and of programs."""

from __future__ import annotations

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
