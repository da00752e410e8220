"""Service Quotas: the account's quotas, and requests to raise them, which nobody grants here."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.servicequotas import urls
from moto.servicequotas.models import ServiceQuotasBackend
from moto.servicequotas.responses import ServiceQuotasResponse

from embedded_aws.services.sagemaker.requests import page, validated
from embedded_aws.services.servicequotas import quotas
from embedded_aws.services.servicequotas.quotas import Quota

_HANDLED = ("vpc",)  # by moto


class NoSuchResourceException(ServiceException):
    code = "NoSuchResourceException"


class IllegalArgumentException(ServiceException):
    code = "IllegalArgumentException"


class LocalServiceQuotasBackend(ServiceQuotasBackend):
    """requests: to raise quotas, by ID, as the API describes them."""

    _url_module = urls

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.requests: dict[str, dict[str, Any]] = {}

    def described(self, service: str, default: bool) -> list[dict[str, Any]]:
        """Every quota of a service, at its default or as it applies. Raises NoSuchResourceException."""
        if service in _HANDLED:
            return self.list_aws_default_service_quotas(service)
        found = quotas.of_service(service)
        if not found:
            raise NoSuchResourceException(f"The embedded AWS keeps no quotas of service {service!r}.")
        return [self._describe(quota, default) for quota in found.values()]

    def one(self, service: str, code: str, default: bool) -> dict[str, Any]:
        """Raises NoSuchResourceException."""
        for quota in self.described(service, default):
            if quota["QuotaCode"] == code:
                return quota
        raise NoSuchResourceException(f"There is no quota {code} of service {service}.")

    def _describe(self, quota: Quota, default: bool) -> dict[str, Any]:
        return {
            "ServiceCode": quota.service,
            "ServiceName": quotas.SERVICES[quota.service],
            "QuotaArn": f"arn:aws:servicequotas:{self.region_name}:{self.account_id}:{quota.service}/{quota.code}",
            "QuotaCode": quota.code,
            "QuotaName": quota.name,
            "Value": float(quota.default if default else quotas.value(quota)),
            "Unit": "None",
            "Adjustable": quota.adjustable,
            "GlobalQuota": False,
        }

    def request(self, service: str, code: str, desired: float, requester: str) -> dict[str, Any]:
        """Record a request to raise a quota."""
        quota = self.one(service, code, default=False)
        if not quota["Adjustable"] or desired <= quota["Value"]:
            raise IllegalArgumentException(
                f"The desired value {desired:g} of {quota['QuotaName']} must be above {quota['Value']:g}, and the "
                "quota adjustable."
            )
        now = datetime.now(timezone.utc)
        members = ("ServiceCode", "ServiceName", "QuotaCode", "QuotaName", "QuotaArn", "GlobalQuota", "Unit")
        made = {
            "Id": uuid.uuid4().hex,
            **{member: quota[member] for member in members},
            "DesiredValue": desired,
            "Status": "PENDING",
            "Created": now,
            "LastUpdated": now,
            "Requester": requester,
        }
        self.requests[made["Id"]] = made
        return made


class LocalServiceQuotasResponse(ServiceQuotasResponse):
    """moto's responses, with ours in front."""

    backend: LocalServiceQuotasBackend

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
        made = self.backend.request(
            request["ServiceCode"], request["QuotaCode"], request["DesiredValue"], self.access_key
        )
        return ActionResult({"RequestedQuota": made})

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
            made
            for made in self.backend.requests.values()
            if all(made[member] == request[member] for member in members if member in request)
        ]
        return ActionResult(page(found, request, "RequestedQuotas"))
