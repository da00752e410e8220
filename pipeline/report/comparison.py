"""What the same training cost on SageMaker, on an EC2 host and on this machine: seconds, money, accuracy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ml.jobs import data, registry
from ops.environment import Environment
from ops.facts.prices import hourly

COLUMNS = ("on", "machines", "training s", "billed s", "USD", "test accuracy", "version")


@dataclass(frozen=True)
class Row:
    """The newest model that one launcher trained on one kind of machine, with the current data.

    seconds: of training, including the time to load the data.
    billed: seconds that AWS bills, of all machines together.
    usd: their cost at the on-demand list price; None if the price is not known. Spot costs less.
    """

    on: str
    machines: str
    seconds: float
    billed: float
    usd: float | None
    spot: bool
    accuracy: str
    version: int


def rows(env: Environment) -> list[Row]:
    """Return a row for each way in which the current data were trained on, the cheapest first."""
    return of_versions(registry.versions(env), data.current(env))


def of_versions(versions: Iterable[registry.Version], manifest: data.Manifest) -> list[Row]:
    """Return the rows of versions, the newest first, for a data set."""
    found: dict[tuple[str, str], Row] = {}
    for version in versions:
        lineage = version.lineage
        if lineage.get("data_hash") == manifest.hash and (row := _row(version)):
            found.setdefault((row.on, row.machines), row)
    return sorted(found.values(), key=lambda row: (row.usd is None, row.usd, row.seconds))


def cells(found: list[Row]) -> list[tuple[str, ...]]:
    """Return the rows as text, with the columns of COLUMNS."""
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


def _row(version: registry.Version) -> Row | None:
    """Return the row of a version; None for one whose metadata are not of this repository's trainings."""
    lineage = version.lineage
    try:
        seconds, billed = float(lineage["training_seconds"]), float(lineage["billable_seconds"])
    except (KeyError, ValueError):
        return None
    on, instance_type = lineage.get("launcher", "sagemaker"), lineage.get("instance_type", "")
    count = lineage.get("instance_count", "1")
    spot = lineage.get("spot") == "true"
    price = 0.0 if on == "here" else hourly(instance_type)
    return Row(
        on=on,
        machines=instance_type if on == "here" else f"{count} × {instance_type}{' Spot' if spot else ''}",
        seconds=seconds,
        billed=billed,
        usd=None if price is None else round(price * billed / 3600, 6),
        spot=spot,
        accuracy=lineage.get("test_accuracy", ""),
        version=version.number,
    )


def _money(row: Row) -> str:
    if row.usd is None:
        return "price not listed"
    # For a Spot training job SageMaker bills fewer seconds; for a Spot host the price itself is lower.
    at_most = "< " if row.spot and row.on == "ec2" else ""
    return f"{at_most}{row.usd:.4f}"
