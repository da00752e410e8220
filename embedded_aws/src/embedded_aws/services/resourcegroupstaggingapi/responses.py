"""Operations of the Resource Groups Tagging API: AWS's checks of parameters."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.resourcegroupstaggingapi.exceptions import ResourceGroupsTaggingAPIError
from moto.resourcegroupstaggingapi.responses import ResourceGroupsTaggingAPIResponse

ARNS = 100  # in one request


class EmbeddedTaggingResponse(ResourceGroupsTaggingAPIResponse):
    """moto's responses, stricter."""

    def get_resources(self) -> ActionResult:
        arns = self._get_param("ResourceARNList", [])
        if arns and (self._get_param("TagFilters") or self._get_param("ResourceTypeFilters")):
            raise _invalid("ResourceARNList cannot be combined with TagFilters or ResourceTypeFilters")
        if len(arns) > ARNS:
            raise _invalid(f"ResourceARNList can have at most {ARNS} ARNs")
        if self._get_param("IncludeComplianceDetails") or self._get_param("ExcludeCompliantResources"):
            raise NotImplementedError("tag policies")
        return super().get_resources()


def _invalid(message: str) -> ResourceGroupsTaggingAPIError:
    return ResourceGroupsTaggingAPIError("InvalidParameterException", message)
