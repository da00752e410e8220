"""Operations of Application Auto Scaling that moto does not have."""

from __future__ import annotations

import json
from typing import Any

from embedded_aws.services.applicationautoscaling.tags import TagsResponse


class EmbeddedApplicationAutoScalingResponse(TagsResponse):
    """moto's responses, with ours in front."""

    def describe_scaling_activities(self) -> str:
        namespace, resource = self._get_param("ServiceNamespace"), self._get_param("ResourceId")
        backend: Any = self.applicationautoscaling_backend
        activities = [
            activity
            for activity in backend.activities
            if activity["ServiceNamespace"] == namespace and resource in (None, activity["ResourceId"])
        ]
        return json.dumps({"ScalingActivities": activities[: self._get_int_param("MaxResults") or 50]})
