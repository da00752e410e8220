"""Limits: a full disk, a quota of 0, many versions of objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipeline.faults.case import Case, References, Unexpected, require
from pipeline.faults.inventory import differences, take
from pipeline.faults.lab import Lab
from pipeline.faults.stages import ACCESS, DEPLOY, DOWN, FOUNDATION, TRAIN, UP, Stage

_FILE_BLOCKS = 16
_VERSIONS = 6000
_TYPE = "ml.m5.large"


@dataclass(frozen=True, kw_only=True)
class FullDisk(Case):
    """No file of the operator's machine grows beyond a few kilobytes, as on a full disk; its terminal works."""

    def disturb(self, lab: Lab, references: References) -> str:
        return require(lab.start(*self.stage.command, file_blocks=_FILE_BLOCKS, terminal=True), fails=True)


@dataclass(frozen=True, kw_only=True)
class NoQuota(Case):
    """The quota of endpoint instances is 0: the command stops before anything costs.

    untouched: the stage whose end the account still has.
    """

    untouched: Stage

    def disturb(self, lab: Lab, references: References) -> str:
        lab.account.set_quota("sagemaker", f"{_TYPE} for endpoint usage", 0)
        command = lab.start(*self.stage.command)
        message = require(command, fails=True, words="request-service-quota-increase")
        if made := differences(references(self.untouched).inventory, take(lab.env)):
            raise Unexpected(f"Although it refused, {self.stage.name} left {'; '.join(made[:3])}")
        return message

    def repair(self, lab: Lab) -> None:
        lab.account.set_quota("sagemaker", f"{_TYPE} for endpoint usage", 20)
        lab.heal()


@dataclass(frozen=True, kw_only=True)
class ManyVersions(Case):
    """The bucket has thousands of versions. The fault is their number: the command itself must succeed."""

    def disturb(self, lab: Lab, references: References) -> str:
        s3, bucket = lab.env.client("s3"), lab.env.data_bucket
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda n: s3.put_object(Bucket=bucket, Key=f"many/{n % 100}", Body=b""), range(_VERSIONS)
                )
            )
        require(lab.start(*self.stage.command), fails=False)
        return "(the command itself succeeds)"


def cases() -> list[Case]:
    """Return every limit."""
    return [
        *(FullDisk(fault="the disk is full", stage=stage) for stage in (FOUNDATION, DEPLOY)),
        NoQuota(fault=f"a quota of 0 for {_TYPE}", stage=UP, end=DEPLOY, untouched=ACCESS),
        NoQuota(fault=f"a quota of 0 for {_TYPE}", stage=DEPLOY, untouched=TRAIN),
        ManyVersions(fault=f"{_VERSIONS:,} versions of objects", stage=DOWN, start=TRAIN),
    ]
