"""moto's tables of EC2 hold what moto's own import reads."""

import json
import subprocess
import sys

import boto3
import pytest
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

from embedded_aws import child_environment
from embedded_aws.services.ec2.tables import Offerings

PROGRAM = """
import json
from embedded_aws.services.ec2 import tables
tables.import_moto()
from moto.ec2.models import availability_zones_and_regions, instance_types, instances
zones = instances.INSTANCE_TYPE_OFFERINGS["availability-zone"]
regions = availability_zones_and_regions.RegionsAndZonesBackend.regions
content = {
    "read": [len(found) for found in instance_types.INSTANCE_TYPE_OFFERINGS.values()],
    "regions": [vars(region) for region in regions],
    "zone": zones["eu-central-1"],
    "unknown": zones.get("mars-1", "none"),
}
print(json.dumps(content))
"""


def test_the_import_reads_no_offerings_and_finds_the_same_regions():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=child_environment.of_server(),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["read"] == [0, 0, 0]
    assert found["regions"] == [vars(region) for region in RegionsAndZonesBackend.regions]
    assert {region["name"] for region in found["regions"]} >= set(
        boto3.Session().get_available_regions("ec2")
    )
    assert found["zone"] == INSTANCE_TYPE_OFFERINGS["availability-zone"]["eu-central-1"]
    assert found["unknown"] == "none"


def test_every_offering_is_motos():
    for location_type, regions in INSTANCE_TYPE_OFFERINGS.items():
        offerings = Offerings(location_type, list(regions))
        assert {region: offerings[region] for region in regions} == regions and len(regions) > 20


def test_an_unknown_region_has_no_offerings():
    with pytest.raises(KeyError, match="mars-1"):
        Offerings("region", ["us-east-1"])["mars-1"]
