"""Translates patterns of AWS's API models, which are Java's, into Python's."""

from __future__ import annotations

import re
import warnings
from functools import cache

# Java's \w, \d and \s are ASCII only.
_ASCII = {"w": "a-zA-Z0-9_", "d": "0-9", "s": r" \t\n\x0b\f\r"}
_SEPARATORS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# Unicode categories and POSIX classes. Python's \w has letters, digits and the underscore of every script.
_CLASSES = {
    "L": r"\w",
    "M": r"\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0e31-\u0e4e",
    "N": r"\w",
    "Z": _SEPARATORS,
    "Zs": _SEPARATORS,
    "ASCII": r"\x00-\x7f",
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Lower": "a-z",
    "Upper": "A-Z",
    "Graph": r"\x21-\x7e",
    "Print": r"\x20-\x7e",
    "Punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "Space": r" \t\n\x0b\f\r",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
}
_PROPERTY = re.compile(r"\\p\{(\w+)\}|\\p(\w)")
# Two escapes that stand for the code points above U+FFFF.
_SURROGATES = r"\uD800\uDC00-\uDBFF\uDFFF"


@cache
def compiled(rule: str) -> re.Pattern[str] | None:
    """Return the pattern; None for the few that Python's `re` cannot express."""
    # Some patterns repeat the length of the model behind the end of the text.
    rule = re.sub(r"\$\{\d+,\d+\}$", "", rule)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            # Java's switch in the middle of a pattern: Python has it for the whole pattern.
            flags = re.IGNORECASE if "(?i)" in rule else 0
            return re.compile(_translated(rule.replace("(?i)", "")), flags)
    except re.error:
        return None


def _translated(rule: str) -> str:
    parts: list[str] = []
    position, in_class = 0, False
    while position < len(rule):
        character = rule[position]
        if character == "\\":
            position, text = _escape(rule, position, in_class)
            parts.append(text)
            continue
        if character == "[" and in_class:
            character = r"\["
        elif character == "[":
            in_class = True
            if rule.startswith(("[^]", "[]"), position):
                raise re.error("empty class")
        elif character == "]":
            in_class = False
        parts.append(character)
        position += 1
    return "".join(parts)


def _escape(rule: str, position: int, in_class: bool) -> tuple[int, str]:
    """Return the position after an escape, and its translation."""
    following = rule[position + 1 : position + 2]
    if rule.startswith(_SURROGATES, position):
        return position + len(_SURROGATES), r"\U00010000-\U0010ffff"
    if found := _PROPERTY.match(rule, position):
        inside, end = _CLASSES.get(found[1] or found[2]), found.end()
        if inside is None:
            raise re.error(f"unknown class {found[0]}")
    elif following in _ASCII:
        inside, end = _ASCII[following], position + 2
    elif following in ("z", "Z"):
        return position + 2, r"\Z"
    elif following == "p" or (following == "P"):
        raise re.error("negated class")
    else:
        return position + 2, rule[position : position + 2]
    if not in_class:
        return end, f"[{inside}]"
    # A hyphen behind a class is a hyphen.
    if rule.startswith("-", end) and not rule.startswith("-]", end):
        return end + 1, inside + r"\-"
    return end, inside
