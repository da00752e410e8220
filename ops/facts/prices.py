"""AWS list prices, from prices.toml."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HOURS = 730  # per month, as in the AWS Pricing Calculator


@functools.cache
def prices() -> dict[str, Any]:
    """Return the price list."""
    listed: dict[str, Any] = tomllib.loads(
        (Path(__file__).parent / "prices.toml").read_text(encoding="utf-8")
    )
    return listed


def hourly(instance_type: str) -> float | None:
    """Return the on-demand price of an instance in USD per hour, or None if it is unknown."""
    price: float | None = prices()["hour"].get(instance_type)
    return price


def provisioned_concurrency(
    count: float, memory_mb: float, seconds: float, architecture: str = "x86_64"
) -> float:
    """Return the price of Lambda's provisioned concurrency in USD, without requests."""
    gb_second: float = prices()["gb_second"][f"lambda_provisioned_{architecture}"]
    return count * memory_mb / 1024 * seconds * gb_second
