"""What a resource costs a month by existing, from the price list. None: unknown."""

from __future__ import annotations

from typing import Any

from ops.facts.prices import HOURS, hourly, prices, provisioned_concurrency

_GIB = 2**30


def instances(instance_type: str | None, count: float = 1) -> float | None:
    """Return the price of instances that run all month."""
    hour = hourly(instance_type) if instance_type else None
    return None if hour is None else hour * HOURS * count


def flat(name: str) -> float:
    """Return a price per month, such as that of "kms_key"."""
    return float(prices()["month"][name])


def by_hour(name: str, count: float = 1) -> float:
    """Return the price of what is billed by the hour, such as "nat_gateway"."""
    return float(prices()["hourly"][name]) * HOURS * count


def stored(name: str, size: float) -> float:
    """Return the price of `size` bytes in a storage such as "s3_gb"."""
    return flat(name) * size / _GIB


def volume(kind: str, gib: float) -> float | None:
    """Return the price of a volume's size; that of provisioned IOPS and throughput is not known here."""
    price = prices()["month"].get(f"ebs_{kind}_gb")
    return None if price is None else float(price) * gib


def variants(chosen: list[dict[str, Any]], counts: dict[str, int]) -> float | None:
    """Return the price of an endpoint's variants, as its configuration lists them.

    counts: current instances by the variant's name.
    """
    total = 0.0
    for variant in chosen:
        if serverless := variant.get("ServerlessConfig"):
            if serverless.get("ProvisionedConcurrency"):
                return None
            continue
        count = counts.get(variant["VariantName"], variant.get("InitialInstanceCount", 1))
        cost = instances(variant.get("InstanceType"), count)
        if cost is None:
            return None
        total += cost
    return total


def concurrency(count: float, memory_mb: float, architecture: str) -> float:
    """Return the price of a function's provisioned concurrency."""
    return provisioned_concurrency(count, memory_mb, HOURS * 3600, architecture)


def total(resources: list[float | None]) -> tuple[float, int]:
    """Return the sum of the known prices, and how many are unknown."""
    known = [price for price in resources if price is not None]
    return sum(known), len(resources) - len(known)
