"""Facts about instance types, the same in Python, which starts jobs, in Terraform, which creates endpoints, and in EC2."""

import re

import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ops.errors import OperatorError
from ops.facts import instance_types
from ops.facts.images import has_gpu
from ops.paths import ROOT

TYPES = instance_types.instance_types("training") | instance_types.instance_types("hosting")
IN_EC2 = {t: INSTANCE_TYPES[name] for t in TYPES if (name := t.removeprefix("ml.")) in INSTANCE_TYPES}


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
def test_has_local_nvme_recognizes_types_with_local_disks(instance_type, local):
    assert instance_types.has_local_nvme(instance_type) == local


def test_has_local_nvme_agrees_with_ec2_on_every_type():
    with_disks = {t for t, about in IN_EC2.items() if about.get("InstanceStorageInfo", {}).get("NvmeSupport")}
    assert len(IN_EC2) > 300
    assert with_disks == {t for t in IN_EC2 if instance_types.has_local_nvme(t)}


def test_terraform_and_python_agree_on_local_disks_of_every_type():
    text = "\n".join(path.read_text() for path in (ROOT / "terraform/modules/endpoint").glob("*.tf"))
    (pattern,) = re.findall(r'regex\("(\^ml\\\\\.\(\[a-z\]\+\[0-9\]\+.*?)",', text)
    terraform = re.compile(pattern.replace("\\\\", "\\"))
    assert {t for t in TYPES if terraform.match(t)} == {t for t in TYPES if instance_types.has_local_nvme(t)}


def test_check_accepts_a_type_for_one_use_and_refuses_it_for_another():
    instance_types.check_instance_type("ml.m5.2xlarge", "training")
    instance_types.check_instance_type("ml.t2.medium", "hosting")
    with pytest.raises(OperatorError, match=r"no instance type 'ml\.t2\.medium' for training"):
        instance_types.check_instance_type("ml.t2.medium", "training")


def test_check_suggests_the_nearest_type_for_a_misspelling():
    with pytest.raises(OperatorError, match=r"'ml\.m5\.larg' for hosting: did you mean .*ml\.m5\.large"):
        instance_types.check_instance_type("ml.m5.larg", "hosting")


@pytest.mark.parametrize(
    ("instance_type", "kind", "reason"),
    [
        ("ml.trn1.2xlarge", "training", "has an accelerator other than NVIDIA GPUs"),
        ("ml.trn2.48xlarge", "training", "has an accelerator other than NVIDIA GPUs"),
        ("ml.inf2.xlarge", "hosting", "has an accelerator other than NVIDIA GPUs"),
        ("ml.dl1.24xlarge", "hosting", "has an accelerator other than NVIDIA GPUs"),
        ("ml.m6g.large", "hosting", "has an Arm processor"),
        ("ml.c7g.xlarge", "hosting", "has an Arm processor"),
        ("ml.c6gn.xlarge", "hosting", "has an Arm processor"),
        ("ml.r8g.large", "hosting", "has an Arm processor"),
        ("ml.p6e-gb200.36xlarge", "training", "has an Arm processor"),
    ],
)
def test_check_refuses_types_that_the_images_do_not_support(instance_type, kind, reason):
    with pytest.raises(OperatorError, match=rf"{re.escape(instance_type)} {reason}.*set \w+\.instance_type"):
        instance_types.check_instance_type(instance_type, kind)


def test_check_refuses_exactly_the_types_that_ec2_calls_arm_or_gives_other_accelerators():
    refused = set()
    for kind in ("training", "hosting"):
        for name in instance_types.instance_types(kind) & IN_EC2.keys():
            try:
                instance_types.check_instance_type(name, kind)
            except OperatorError:
                refused.add(name)
    arm = {t for t, about in IN_EC2.items() if "arm64" in about["ProcessorInfo"]["SupportedArchitectures"]}
    accelerated = {
        t for t, about in IN_EC2.items() if "InferenceAcceleratorInfo" in about or "NeuronInfo" in about
    }
    habana = {t for t in IN_EC2 if t.startswith("ml.dl1.")}
    assert arm and accelerated
    assert refused == arm | accelerated | habana


def test_every_accepted_type_with_nvidia_gpus_gets_a_gpu_image():
    nvidia = {
        t
        for t, about in IN_EC2.items()
        if any(gpu["Manufacturer"] == "NVIDIA" for gpu in about.get("GpuInfo", {}).get("Gpus", []))
    }
    assert nvidia == {t for t in IN_EC2 if has_gpu(t)}


def test_the_number_of_gpus_is_that_of_ec2():
    counted = {
        t: sum(
            gpu["Count"]
            for gpu in about.get("GpuInfo", {}).get("Gpus", [])
            if gpu["Manufacturer"] == "NVIDIA"
        )
        for t, about in IN_EC2.items()
    }
    assert max(counted.values()) == 8
    assert {t: instance_types.gpus(t) for t in IN_EC2} == counted


def test_generations_that_ec2_no_longer_lists_have_their_gpus():
    sizes = ("ml.p2.xlarge", "ml.p2.16xlarge", "ml.p3.2xlarge", "ml.p3.8xlarge", "ml.p3.16xlarge")
    assert [instance_types.gpus(t) for t in sizes] == [1, 16, 1, 4, 8]


@pytest.mark.parametrize("instance_type", ["ml.trn1.2xlarge", "ml.inf2.xlarge"])
def test_check_accepts_other_accelerators_for_notebooks(instance_type):
    instance_types.check_instance_type(instance_type, "notebook")
