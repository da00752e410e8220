"""Metrics of a training job, read from its log by the regular expressions of its request."""

from __future__ import annotations

import math
import re
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException


class MetricReader:
    """Applies a job's MetricDefinitions to lines of its log."""

    def __init__(self, definitions: list[dict[str, str]]) -> None:
        """Raises ValidationException for a regular expression that does not compile or has no group."""
        self._patterns = [(item["Name"], _pattern(item)) for item in definitions]

    def read(self, line: str) -> list[tuple[str, float]]:
        """(name, value) of every metric in `line`, in its order; a value that is no number is none."""
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


def _pattern(definition: dict[str, str]) -> re.Pattern:
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
    """An entry of FinalMetricDataList."""
    return {"MetricName": name, "Value": value, "Timestamp": timestamp}
