"""What instance types' names tell: the same to Python, which starts jobs, and to Terraform, which makes endpoints."""

import re

import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ops import aws
from ops.facts import instance_types as instances
from ops.paths import ROOT

TYPES = aws.instance_types("training") | aws.instance_types("hosting")


@pytest.mark.parametrize(
    ("instance_type", "local"),
    [
        ("ml.m5.large", False),
        ("ml.m5d.large", True),
        ("ml.c7gd.xlarge", True),
        ("ml.g4dn.xlarge", True),
        ("ml.g5.2xlarge", True),
        ("ml.g6e.xlarge", True),
        ("ml.p3.2xlarge", False),
        ("ml.p3dn.24xlarge", True),
        ("ml.p4d.24xlarge", True),
        ("ml.p5.48xlarge", True),
        ("ml.trn1.2xlarge", True),
        ("ml.inf2.xlarge", False),
        ("ml.t2.medium", False),
        ("ml.c5n.xlarge", False),
        ("ml.r5.large", False),
        ("ml.r5d.large", True),
    ],
)
def test_types_with_local_disks(instance_type, local):
    assert instances.has_local_nvme(instance_type) == local


def test_ec2_says_the_same_of_every_type_it_still_has():
    known = {t: INSTANCE_TYPES.get(t.removeprefix("ml.")) for t in TYPES}
    disks = {
        t: about.get("InstanceStorageInfo", {}).get("NvmeSupport") for t, about in known.items() if about
    }
    assert len(disks) > 300
    assert {t for t, nvme in disks.items() if nvme} == {t for t in disks if instances.has_local_nvme(t)}


def test_terraform_and_python_agree_on_every_type():
    text = "\n".join(path.read_text() for path in (ROOT / "terraform/modules/endpoint").glob("*.tf"))
    (pattern,) = re.findall(r'regex\("(\^ml\\\\\.\(\[a-z\]\+\[0-9\]\+.*?)",', text)
    theirs = re.compile(pattern.replace("\\\\", "\\"))
    assert {t for t in TYPES if theirs.match(t)} == {t for t in TYPES if instances.has_local_nvme(t)}
