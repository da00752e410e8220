"""Which names and tags are an environment's."""

from __future__ import annotations

import re

from ops.inventory.model import Tags
from ops.outputs import parameter
from ops.settings import Settings


class Belonging:
    """Tells the names and tags of one environment from those of all others.

    What stack access creates is no environment's: its roles remove environments, and outlive them.
    """

    def __init__(self, settings: Settings) -> None:
        self._owner = {"Project": settings.project, "Environment": settings.environment}
        prefix, path = re.escape(settings.prefix), re.escape(parameter(settings))
        # image-classifier-dev matches neither image-classifier-dev2 nor my-image-classifier-dev.
        self._ours = re.compile(rf"(?<![A-Za-z0-9_-]){prefix}(?![A-Za-z0-9_])|^{path}(/|$)")

    @property
    def filters(self) -> list[dict[str, object]]:
        """The environment's tags, as filters of the Resource Groups Tagging API."""
        return [{"Key": key, "Values": [value]} for key, value in self._owner.items()]

    def named(self, name: str) -> bool:
        """Return whether a name is the environment's."""
        return self._ours.search(name) is not None

    def tagged(self, tags: Tags | None) -> bool:
        """Return whether tags are the environment's."""
        return tags is not None and not self.foreign(tags) and self._owner.items() <= tags.items()

    def foreign(self, tags: Tags | None) -> bool:
        """Return whether tags are those of another environment or project, or of stack access."""
        if not tags:
            return False
        if tags.get("Stack") == "access":
            return True
        return any(tags.get(key, value) != value for key, value in self._owner.items())

    def by_terraform(self, tags: Tags | None) -> bool:
        """Return whether tags say that one of the environment's stacks created the resource."""
        return self.tagged(tags) and (tags or {}).get("ManagedBy") == "terraform"
