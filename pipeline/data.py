"""The data stage: fetch images, check them, upload what has changed."""

from __future__ import annotations

from typing import Any

from ml.jobs import data
from ml.jobs.data import problems
from ops.console import Stage, Step, say
from ops.environment import Environment
from ops.paths import WORK

CHECKED = "checked-images.sqlite"
LISTED = 5  # names of converted images that are printed


def run(
    env: Environment,
    source: str | None = None,
    skip_bad: bool = False,
    stages: list[Stage] | None = None,
    *,
    split: str | None = None,
) -> dict[str, Any]:
    """Make a data set the current one.

    source: as `./inv data --source`; by default the environment's.
    skip_bad: leave out bad images, instead of refusing the data set.
    split: shares of train, valid and test, such as `70/15/15`, to make the splits that are missing.
    """
    shares = data.parse_shares(split) if split else None
    source = source or env.settings.dataset
    # Without a foundation, fail before the download, which may take minutes.
    env.outputs.foundation  # noqa: B018
    with Step("data", stages) as step:

        def progress(what: str, done: int, total: int) -> None:
            step(f"{what} {done:,} of {total:,}" if total else f"{what} {done:,}")

        folder = data.fetch(source, WORK / "data", progress)
        report = data.validate(folder, progress, shares, WORK / "data" / CHECKED)
        for note in report.notes:
            step(note, important=True)
        left_out = report.accept(skip_bad)
        name = source if source in ("sample", "dogs") else None
        manifest = data.manifest(folder, left_out, name, progress, shares, report)
        uploaded = data.upload(env, manifest, progress)
        problems.store(env, manifest, report.near_duplicates)
        counts = {split: sum(by_class.values()) for split, by_class in manifest.counts.items()}
        splits = ", ".join(f"{count:,} {split}" for split, count in counts.items())
        if not (uploaded.sent or uploaded.deleted):
            step.unchanged()
        stored = f" in {len(shards.shards):,} shards" if (shards := uploaded.manifest.shards) else ""
        step.note = (
            f"{len(manifest.files):,} images ({splits}) in {len(manifest.classes)} classes{stored}; "
            f"{uploaded.sent:,} sent, {uploaded.unchanged:,} unchanged, {uploaded.deleted:,} deleted"
        )
    _show_changes(report, manifest)
    if warning := problems.sentence(report.near_duplicates):
        say(f"  {warning}")
    return {
        **step.ending,
        "dataset": manifest.dataset,
        "hash": manifest.hash,
        "classes": len(manifest.classes),
        "counts": counts,
        "sent": uploaded.sent,
        "unchanged": uploaded.unchanged,
        "deleted": uploaded.deleted,
        "shards": len(shards.shards) if shards else 0,
        "near_duplicates": len(report.near_duplicates),
        "left_out": sorted(left_out | report.misplaced),
        "converted": {key: reason for reason, keys in manifest.converted.items() for key in keys},
    }


def _show_changes(report: data.Report, manifest: data.Manifest) -> None:
    """Print which images are not in the data set as they are in the folder, by kind."""
    if report.problems:
        say(f"  left out {len(report.skip | report.misplaced):,} files:\n{report.listing()}")
    for reason, keys in manifest.converted.items():
        more = f", and {len(keys) - LISTED:,} more" if len(keys) > LISTED else ""
        say(f"  converted to PNG ({reason}), {len(keys):,}: {', '.join(keys[:LISTED])}{more}")
