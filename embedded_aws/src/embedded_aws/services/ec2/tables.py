"""moto's tables of EC2, read when they are used.

The import of moto's EC2 parses the instance types that each zone offers, in 90 files, and the largest of botocore's
service models, to find EC2's regions.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from botocore.session import Session
from moto.utilities import utils

_FOLDER = "instance_type_offerings"


class Offerings(dict[str, list[dict[str, str]]]):
    """Instance types that are offered, by region, for one type of location. A region is read when it is used."""

    def __init__(self, location_type: str, regions: list[str]):
        super().__init__()
        self._location_type, self._regions = location_type, frozenset(regions)

    def __missing__(self, region: str) -> list[dict[str, str]]:
        if region not in self._regions:
            raise KeyError(region)
        found = utils.load_resource(f"ec2/resources/{_FOLDER}/{self._location_type}/{region}.json")
        self[region] = [{**offering, "LocationType": self._location_type} for offering in found]
        return self[region]

    def get(self, region: str, default: Any = None) -> Any:
        return self[region] if region in self._regions else default


def import_moto() -> None:
    """Import moto's EC2 without reading these tables. Call before anything else imports it."""
    load = utils.load_resource

    def load_other(resource: str) -> Any:
        return [] if _FOLDER in resource else load(resource)

    def service_data(session: Session, name: str, api_version: str | None = None) -> dict[str, Any]:
        return {
            "metadata": {"endpointPrefix": name}
        }  # all that is read to find the regions, and true for EC2

    with (
        mock.patch.object(utils, "load_resource", load_other),
        mock.patch.object(Session, "get_service_data", service_data),
    ):
        from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS as found
    for location_type, regions in found.items():
        found[location_type] = Offerings(location_type, list(regions))
