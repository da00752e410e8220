"""Service Quotas records: quotas of the account and requests to raise them."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Any

from moto.servicequotas import urls
from moto.servicequotas.models import ServiceQuotasBackend

from embedded_aws.runtime import Runtime
from embedded_aws.services.servicequotas import quotas
from embedded_aws.services.servicequotas.exceptions import (
    IllegalArgumentException,
    NoSuchResourceException,
)
from embedded_aws.services.servicequotas.quotas import Quota, Quotas

_MOTO_SERVICES = ("vpc",)  # quotas that moto lists


class EmbeddedServiceQuotasBackend(ServiceQuotasBackend):
    """moto's backend with the quotas of the embedded AWS.

    requests: requests to raise quotas, by ID, in the shape of the API.
    """

    _url_module = urls
    runtime: Runtime

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.requests: dict[str, dict[str, Any]] = {}

    def described(self, service: str, default: bool) -> list[dict[str, Any]]:
        """Return every quota of a service with its default or applied value. Raises NoSuchResourceException."""
        if service in _MOTO_SERVICES:
            return self.list_aws_default_service_quotas(service)
        found = quotas.of_service(service)
        if not found:
            raise NoSuchResourceException(f"The embedded AWS has no quotas of service {service!r}.")
        return [self._describe(quota, default) for quota in found.values()]

    def one(self, service: str, code: str, default: bool) -> dict[str, Any]:
        """Return one quota. Raises NoSuchResourceException."""
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
            "Value": float(quota.default if default else self.runtime.get(Quotas).value(quota)),
            "Unit": "None",
            "Adjustable": quota.adjustable,
            "GlobalQuota": False,
        }

    def request(self, service: str, code: str, desired: float, requester: str) -> dict[str, Any]:
        """Record a request to raise a quota. Nobody grants it: it stays PENDING."""
        quota = self.one(service, code, default=False)
        if not quota["Adjustable"] or desired <= quota["Value"]:
            raise IllegalArgumentException(
                f"The desired value {desired:g} of {quota['QuotaName']} must be above {quota['Value']:g}, and the "
                "quota must be adjustable."
            )
        now = datetime.now(timezone.utc)
        members = ("ServiceCode", "ServiceName", "QuotaCode", "QuotaName", "QuotaArn", "GlobalQuota", "Unit")
        change = {
            "Id": uuid.uuid4().hex,
            **{member: quota[member] for member in members},
            "DesiredValue": desired,
            "Status": "PENDING",
            "Created": now,
            "LastUpdated": now,
            "Requester": requester,
        }
        self.requests[change["Id"]] = change
        return change
