"""Tags of scalable targets, which moto does not keep."""

from __future__ import annotations

import json
from typing import cast

from moto.applicationautoscaling import urls
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, FakeScalableTarget
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError


class ResourceNotFoundException(JsonRESTError):
    """AWS's error for an ARN without a scalable target."""

    def __init__(self, arn: str) -> None:
        super().__init__("ResourceNotFoundException", f"No scalable target found for ARN: {arn}")


class TagsBackend(ApplicationAutoscalingBackend):
    """moto's backend, with the tags of every scalable target by its ARN."""

    _url_module = urls  # moto derives it from __module__ otherwise

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.tags: dict[str, dict[str, str]] = {}

    def target_tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a registered target, which the caller may change. Raises ResourceNotFoundException."""
        targets = (target for by_id in self.targets.values() for target in by_id.values())
        if all(target.arn != arn for target in targets):
            raise ResourceNotFoundException(arn)
        return self.tags.setdefault(arn, {})

    def deregister_scalable_target(self, namespace: str, r_id: str, dimension: str) -> None:
        target: FakeScalableTarget | None = self.targets.get(dimension, {}).get(r_id)
        super().deregister_scalable_target(namespace, r_id, dimension)
        if target:
            self.tags.pop(target.arn, None)


class TagsResponse(ApplicationAutoScalingResponse):
    """moto's responses, with ours in front."""

    @property
    def _backend(self) -> TagsBackend:
        return cast(TagsBackend, self.applicationautoscaling_backend)

    def register_scalable_target(self) -> str:
        response = super().register_scalable_target()
        tags = self._get_param("Tags")
        if tags:
            arn = json.loads(response)["ScalableTargetARN"]
            self._backend.target_tags(arn).update(tags)
        return response

    def list_tags_for_resource(self) -> str:
        return json.dumps({"Tags": self._tags()})

    def tag_resource(self) -> str:
        self._tags().update(self._get_param("Tags"))
        return json.dumps({})

    def untag_resource(self) -> str:
        for key in self._get_param("TagKeys"):
            self._tags().pop(key, None)
        return json.dumps({})

    def _tags(self) -> dict[str, str]:
        return self._backend.target_tags(self._get_param("ResourceARN"))
