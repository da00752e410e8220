"""Reads a job's metrics from its log, with the regular expressions of its MetricDefinitions."""

from __future__ import annotations

import math
import re
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException


class MetricReader:
    """Applies a job's MetricDefinitions to lines of its log."""

    def __init__(self, definitions: list[dict[str, str]]) -> None:
        """Raise ValidationException for a regular expression that does not compile or has no group."""
        self._patterns = [(item["Name"], _pattern(item)) for item in definitions]

    def read(self, line: str) -> list[tuple[str, float]]:
        """Return name and value of every metric in a line, in order. Values that are not finite numbers are ignored."""
        found = []
        for name, pattern in self._patterns:
            for match in pattern.finditer(line):
                try:
                    value = float(match.group(1))
                except (TypeError, ValueError):
                    continue
                if math.isfinite(value):
                    found.append((name, value))
        return found


def _pattern(definition: dict[str, str]) -> re.Pattern[str]:
    try:
        pattern = re.compile(definition["Regex"])
    except re.error as error:
        raise AWSValidationException(
            f"The regular expression of metric {definition['Name']} is not valid: {definition['Regex']}: {error}"
        ) from None
    if not pattern.groups:
        raise AWSValidationException(
            f"The regular expression of metric {definition['Name']} captures no value: {definition['Regex']}. "
            "Put the number in parentheses."
        )
    return pattern


def final_metric(name: str, value: float, timestamp: Any) -> dict[str, Any]:
    """Return an entry of FinalMetricDataList."""
    return {"MetricName": name, "Value": value, "Timestamp": timestamp}
