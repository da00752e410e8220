"""Service Quotas operations."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.servicequotas.responses import ServiceQuotasResponse

from embedded_aws.services.sagemaker.requests import page, validated
from embedded_aws.services.servicequotas import quotas
from embedded_aws.services.servicequotas.backend import EmbeddedServiceQuotasBackend
from embedded_aws.services.servicequotas.exceptions import NoSuchResourceException


class EmbeddedServiceQuotasResponse(ServiceQuotasResponse):
    """moto's responses with the operations of the embedded AWS."""

    backend: EmbeddedServiceQuotasBackend

    def list_services(self) -> ActionResult:
        names = {"vpc": "Amazon Virtual Private Cloud (Amazon VPC)", **quotas.SERVICES}
        found = [{"ServiceCode": code, "ServiceName": name} for code, name in sorted(names.items())]
        return ActionResult(page(found, validated(self), "Services"))

    def list_service_quotas(self) -> ActionResult:
        return self._list(default=False)

    def list_aws_default_service_quotas(self) -> ActionResult:  # type: ignore[override]
        return self._list(default=True)

    def _list(self, default: bool) -> ActionResult:
        request = validated(self)
        found = self.backend.described(request["ServiceCode"], default)
        wanted = request.get("QuotaCode")
        found = [quota for quota in found if wanted in (None, quota["QuotaCode"])]
        return ActionResult(page(found, request, "Quotas"))

    def get_service_quota(self) -> ActionResult:  # type: ignore[override]
        return self._get(default=False)

    def get_aws_default_service_quota(self) -> ActionResult:
        return self._get(default=True)

    def _get(self, default: bool) -> ActionResult:
        request = validated(self)
        return ActionResult(
            {"Quota": self.backend.one(request["ServiceCode"], request["QuotaCode"], default)}
        )

    def request_service_quota_increase(self) -> ActionResult:
        request = validated(self)
        change = self.backend.request(
            request["ServiceCode"], request["QuotaCode"], request["DesiredValue"], self.access_key
        )
        return ActionResult({"RequestedQuota": change})

    def get_requested_service_quota_change(self) -> ActionResult:
        identity = validated(self)["RequestId"]
        if identity not in self.backend.requests:
            raise NoSuchResourceException(f"There is no request {identity}.")
        return ActionResult({"RequestedQuota": self.backend.requests[identity]})

    def list_requested_service_quota_change_history(self) -> ActionResult:
        return self._history()

    def list_requested_service_quota_change_history_by_quota(self) -> ActionResult:
        return self._history()

    def _history(self) -> ActionResult:
        request = validated(self)
        members = ("ServiceCode", "QuotaCode", "Status")
        found = [
            change
            for change in self.backend.requests.values()
            if all(change[member] == request[member] for member in members if member in request)
        ]
        return ActionResult(page(found, request, "RequestedQuotas"))
