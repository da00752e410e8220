"""Faults of Terraform's states: locks of others and of the dead, lost states."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone

from pipeline.faults import processes
from pipeline.faults.case import Case, Moment, References, Unexpected, require
from pipeline.faults.inventory import differences, take
from pipeline.faults.lab import Lab
from pipeline.faults.stages import DEPLOY, DOWN, FOUNDATION, SECOND, UP

_COLLEAGUE = "colleague@elsewhere"


@dataclass(frozen=True, kw_only=True)
class ForeignLock(Case):
    """A colleague's Terraform holds the lock of the foundation: nothing at all may be removed."""

    @property
    def removes(self) -> bool:
        return False

    def disturb(self, lab: Lab, references: References) -> str:
        lock = {
            "ID": str(uuid.uuid4()),
            "Operation": "OperationTypeApply",
            "Info": "",
            "Who": _COLLEAGUE,
            "Version": "1.11.4",
            "Created": datetime.now(timezone.utc).isoformat(),
            "Path": self._key(lab),
        }
        s3 = lab.env.client("s3")
        s3.put_object(Bucket=lab.env.state_bucket, Key=self._key(lab), Body=json.dumps(lock).encode())
        message = require(lab.start(*self.stage.command), fails=True, words=_COLLEAGUE)
        s3.delete_object(Bucket=lab.env.state_bucket, Key=self._key(lab))
        if self.first and (removed := differences(references(self.first).inventory, take(lab.env))):
            raise Unexpected(f"Although it refused, {self.stage.name} left {'; '.join(removed[:3])}")
        return message

    def _key(self, lab: Lab) -> str:
        return f"{lab.settings.environment}/foundation.tfstate.tflock"


@dataclass(frozen=True, kw_only=True)
class PowerFailure(Case):
    """The command, Terraform and its providers are killed at once: the lock stays. moment: when."""

    moment: Moment

    def disturb(self, lab: Lab, references: References) -> str:
        command = lab.start(*self.stage.command)
        if self.moment.wait(command, references(self.stage)):
            processes.end_all(lab.work)
        command.wait()
        return "(killed)"


@dataclass(frozen=True, kw_only=True)
class LostStates(Case):
    """All versions of the environment's states are deleted. `status` must not say that all is well."""

    @property
    def removes(self) -> bool:
        return False

    def disturb(self, lab: Lab, references: References) -> str:
        s3, bucket = lab.env.client("s3"), lab.env.state_bucket
        found = s3.list_object_versions(Bucket=bucket, Prefix=f"{lab.settings.environment}/")
        for item in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
        command = lab.run("status")
        require(command, fails=False, words="in no state")
        return f"`./inv status`: {command.line('in no state')}"


def cases() -> list[Case]:
    """Return every fault of the states."""
    middle = Moment(0.5, by_steps=True)
    return [
        ForeignLock(fault="a colleague holds the lock of the foundation", stage=DOWN),
        *(
            PowerFailure(fault="command, Terraform and providers are killed", stage=stage, moment=middle)
            for stage in (FOUNDATION, DEPLOY, DOWN)
        ),
        LostStates(fault="all Terraform states are deleted", stage=UP, start=DEPLOY, end=DEPLOY),
        LostStates(fault="all Terraform states are deleted", stage=DOWN, start=SECOND),
    ]
