"""The data stage as a whole, on this machine or in a processing job: fetch, check, upload, and say what was done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from ml.jobs.data import problems
from ml.jobs.data.manifest import Manifest, manifest
from ml.jobs.data.parallel import Progress, quiet
from ml.jobs.data.sources import fetch
from ml.jobs.data.splits import parse_shares
from ml.jobs.data.upload import Uploaded, upload
from ml.jobs.data.validate import Report, validate
from ops.environment import Environment

CHECKED = "checked-images.sqlite"
_LISTED = 5  # names of converted images in a remark


class Result(BaseModel):
    """What the stage did.

    dataset: its name in S3. hash: of its manifest. counts: images by split.
    sent, unchanged, deleted: numbers of objects.
    near_duplicates: number of pairs.
    left_out: keys. converted: reason by key.
    remarks: lines for people about what differs from the source.
    """

    dataset: str
    hash: str
    classes: int
    counts: dict[str, int]
    sent: int
    unchanged: int
    deleted: int
    shards: int
    near_duplicates: int
    left_out: list[str]
    converted: dict[str, str]
    remarks: list[str]

    @property
    def summary(self) -> str:
        """One line about the result."""
        splits = ", ".join(f"{count:,} {split}" for split, count in self.counts.items())
        stored = f" in {self.shards:,} shards" if self.shards else ""
        return (
            f"{sum(self.counts.values()):,} images ({splits}) in {self.classes} classes{stored}; "
            f"{self.sent:,} sent, {self.unchanged:,} unchanged, {self.deleted:,} deleted"
        )


def run(
    env: Environment,
    source: str,
    work: Path,
    *,
    skip_bad: bool = False,
    split: str | None = None,
    progress: Progress = quiet,
    on_note: Callable[[str], None] = lambda text: None,
) -> Result:
    """Make a data set the current one. Raises OperatorError.

    source: as `fetch` takes it.
    work: folder for downloads, and for what is known of images that were checked before.
    skip_bad: leave out bad images, instead of refusing the data set.
    split: shares of train, valid and test, such as `70/15/15`, to make the splits that are missing.
    on_note: called with each sentence about how the source was interpreted.
    """
    shares = parse_shares(split) if split else None
    folder = fetch(source, work, progress)
    report = validate(folder, progress, shares, work / CHECKED)
    for note in report.notes:
        on_note(note)
    left_out = report.accept(skip_bad)
    name = source if source in ("sample", "dogs") else None
    made = manifest(folder, left_out, name, progress, shares, report)
    uploaded = upload(env, made, progress)
    problems.store(env, made, report.near_duplicates)
    return _result(report, made, uploaded, left_out)


def _result(report: Report, made: Manifest, uploaded: Uploaded, left_out: frozenset[str]) -> Result:
    shards = uploaded.manifest.shards
    return Result(
        dataset=made.dataset,
        hash=made.hash,
        classes=len(made.classes),
        counts={split: sum(by_class.values()) for split, by_class in made.counts.items()},
        sent=uploaded.sent,
        unchanged=uploaded.unchanged,
        deleted=uploaded.deleted,
        shards=len(shards.shards) if shards else 0,
        near_duplicates=len(report.near_duplicates),
        left_out=sorted(left_out | report.misplaced),
        converted={key: reason for reason, keys in made.converted.items() for key in keys},
        remarks=_remarks(report, made),
    )


def _remarks(report: Report, made: Manifest) -> list[str]:
    """Return which images are not in the data set as they are in the source, by kind, and near-duplicates."""
    found = []
    if report.problems:
        found.append(f"left out {len(report.skip | report.misplaced):,} files:\n{report.listing()}")
    for reason, keys in made.converted.items():
        more = f", and {len(keys) - _LISTED:,} more" if len(keys) > _LISTED else ""
        found.append(f"converted to PNG ({reason}), {len(keys):,}: {', '.join(keys[:_LISTED])}{more}")
    if warning := problems.sentence(report.near_duplicates):
        found.append(warning)
    return found
