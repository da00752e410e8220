"""Constraints of botocore's models that AWS does not enforce: accepted here, too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Exemption:
    """A constraint that is not enforced.

    shape: name of the shape in the model of the service.
    rule: "enum", "pattern", "length", "range", or the name of a required member.
    reason: what AWS does instead.
    """

    service: str
    shape: str
    rule: str
    reason: str


EXEMPTIONS: tuple[Exemption, ...] = (
    Exemption(
        "sagemaker-runtime",
        "BodyBlob",
        "length",
        "the service answers a larger body with HTTP 413, before the model of the operation applies",
    ),
)

_KEYS = {(e.service, e.shape, e.rule) for e in EXEMPTIONS}


def is_exempt(service: str, shape: str, rule: str) -> bool:
    """Report whether AWS does not enforce a constraint of its model."""
    return (service, shape, rule) in _KEYS
