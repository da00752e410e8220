"""The data bucket."""

from __future__ import annotations

from pydantic import Field

from ops.settings.section import Section


class StorageSettings(Section):
    """Data bucket."""

    force_destroy: bool = Field(False, description="Let `./inv down` empty and delete the bucket.")
    expire_old_versions: bool = Field(True, description="Expire noncurrent object versions.")
