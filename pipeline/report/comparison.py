"""What the same training took on SageMaker, on an EC2 host and here: seconds, money, accuracy."""

from __future__ import annotations

from dataclasses import dataclass

from ml.jobs import data, registry
from ops.aws import client
from ops.facts.prices import hourly
from ops.outputs import Foundation
from ops.settings import Settings

COLUMNS = ("on", "machines", "training s", "billed s", "USD", "test accuracy", "version")
SPOT = "Spot"


@dataclass(frozen=True)
class Row:
    """The newest model of one launcher and kind of machine, for the present data.

    seconds: of training, the data's way included. billed: seconds that machines are paid for, all of them together. usd:
    these at the on-demand list price, None where that is not known; Spot costs less.
    """

    on: str
    machines: str
    seconds: float
    billed: float
    usd: float | None
    spot: bool
    accuracy: str
    version: int


def rows(settings: Settings, foundation: Foundation) -> list[Row]:
    """One for each way in which the present data were trained on, the cheapest first."""
    manifest = data.current(foundation.bucket, client("s3", settings.region), settings.environment)
    found: dict[tuple[str, str], Row] = {}
    for version in registry.versions(settings, foundation):  # newest first
        told = version.lineage
        if told.get("data_hash") == manifest.hash and "billable_seconds" in told:
            row = _row(version)
            found.setdefault((row.on, row.machines), row)
    return sorted(found.values(), key=lambda row: (row.usd is None, row.usd, row.seconds))


def cells(found: list[Row]) -> list[tuple[str, ...]]:
    """Rows as COLUMNS has them."""
    return [
        (
            row.on,
            row.machines,
            f"{row.seconds:.0f}",
            f"{row.billed:.0f}" if row.usd != 0 else "0",
            _money(row),
            row.accuracy,
            str(row.version),
        )
        for row in found
    ]


def _row(version: registry.Version) -> Row:
    told = version.lineage
    on, kind, count = (
        told.get("launcher", "sagemaker"),
        told.get("instance_type", ""),
        told.get("instance_count", "1"),
    )
    spot, billed = told.get("spot") == "true", float(told["billable_seconds"])
    hour = 0.0 if on == "here" else hourly(kind)
    return Row(
        on=on,
        machines=kind if on == "here" else f"{count} × {kind}{f' {SPOT}' if spot else ''}",
        seconds=float(told["training_seconds"]),
        billed=billed,
        usd=None if hour is None else round(hour * billed / 3600, 6),
        spot=spot,
        accuracy=told.get("test_accuracy", ""),
        version=version.number,
    )


def _money(row: Row) -> str:
    if row.usd is None:
        return "price not listed"
    # SageMaker bills fewer seconds of a spot job; of a Spot host, the price itself is lower.
    bound = "< " if row.spot and row.on == "ec2" else ""
    return f"{bound}{row.usd:.4f}"
