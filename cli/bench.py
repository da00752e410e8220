"""The task that measures this repository against a reference: `./inv bench training`."""

from __future__ import annotations

from dataclasses import asdict

from invoke.context import Context

from cli.task import JSON, Reported, operator_task
from ops import console
from ops.console import Step, emit
from ops.errors import Refused
from ops.paths import WORK

BENCHMARKS = ("training",)


@operator_task(
    positional=["what"],
    help={
        **JSON,
        "what": "what to measure: training",
        "images": "number of training images; a tenth as many for validation and for the test",
        "architecture": "network with the frozen backbone: resnet50 with random weights, or efficientnet_lite0 with real ones",
        "only": "only these figures, separated by commas: frozen, search, ranks-frozen, ranks-scratch",
    },
)
def bench(
    c: Context,
    what: str,
    images: int = 1000,
    architecture: str = "resnet50",
    only: str | None = None,
    json: bool = False,
) -> None:
    """Measure training against the original's way on this machine, side by side. Takes half an hour with 1,000 images."""
    from pipeline.bench.training import CASES, Benchmark, real_weights

    if what not in BENCHMARKS:
        raise Refused(f"There is no benchmark {what!r}: choose {', '.join(BENCHMARKS)}.")
    chosen = tuple(only.split(",")) if only else CASES
    if unknown := set(chosen) - set(CASES):
        raise Refused(f"--only has the unknown figure {sorted(unknown)[0]!r}: choose of {', '.join(CASES)}.")
    if images < 200:
        raise Refused(
            f"--images is {images}: give at least 200, so that each class has images in every split."
        )
    with Step("bench") as step:
        rows = list(
            Benchmark(WORK / "bench", images, architecture, real_weights(architecture), step).run(chosen)
        )
        step.note = f"{sum(row.reached for row in rows)} of {len(rows)} goals reached"
    console.table(
        "Benchmark",
        ("Figure", "Measured", "Goal", "Details"),
        [(row.figure, row.value, row.goal, row.details) for row in rows],
    )
    emit([asdict(row) for row in rows], json)
    if missed := [row.figure for row in rows if not row.reached]:
        raise Reported(f"{len(missed)} of {len(rows)} goals were not reached.")
