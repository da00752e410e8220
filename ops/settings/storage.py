"""The bucket."""

from __future__ import annotations

from ops.settings.section import Section


class StorageSettings(Section):
    """The bucket. force_destroy: `down` may empty it. expire_old_versions: lifecycle rules for old versions."""

    force_destroy: bool = False
    expire_old_versions: bool = True
