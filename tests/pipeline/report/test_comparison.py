"""What the same training cost on each launcher."""

from __future__ import annotations

import dataclasses

from pipeline.report import comparison
from tests.pipeline.report import report_kit as kit


def test_the_newest_version_of_each_way_is_listed_the_cheapest_first():
    data = kit.manifest(["a", "b"])
    versions = [kit.version(number, data, 0.9) for number in (5, 4)]
    here = {**versions[0].lineage, "launcher": "here", "instance_type": "2 × x86_64", "spot": "false"}
    odd = {**versions[0].lineage, "launcher": "ec2", "instance_type": "x9.huge"}
    other = {**versions[0].lineage, "data_hash": "other"}
    all_versions = [
        *versions,
        dataclasses.replace(versions[0], number=3, lineage=here),
        dataclasses.replace(versions[0], number=2, lineage=odd),
        dataclasses.replace(versions[0], number=1, lineage=other),
    ]
    rows = comparison.of_versions(all_versions, data)
    assert [(row.on, row.version) for row in rows] == [("here", 3), ("sagemaker", 5), ("ec2", 2)]
    assert [cell[3:5] for cell in comparison.cells(rows)] == [
        ("0", "0.0000"),
        ("312", "0.1220"),
        ("312", "price not listed"),
    ]


def test_a_spot_host_costs_at_most_the_listed_price():
    row = comparison.Row("ec2", "1 × g5.xlarge Spot", 60, 90, 0.02, True, "0.9", 2)
    assert comparison.cells([row])[0][4] == "< 0.0200"
