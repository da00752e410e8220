"""Plans of an environment as if nothing existed: on an embedded AWS of their own, so that they need no account."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ops.console import Step
from ops.settings import Settings

WORKBENCHES = ("workbench/studio", "workbench/notebook")
"""Each kind of workbench, planned separately."""

ON_DEMAND = ("training_host", *WORKBENCHES)


def plans_as_new(
    settings: Settings, chosen: Sequence[str], home: Path, step: Step
) -> Iterator[tuple[str, dict]]:
    """The chosen stacks in order, each with its plan as `terraform show -json` gives it.

    Serving and what is chosen of ON_DEMAND are planned with what the foundation's plan would hand over, and a
    well-formed model version; where the environment has no private network, in the default VPC, with internet access.
    home: a folder for the embedded AWS; what lies there is removed.
    """
    from ops.checks import plans
    from ops.terraform import stacks

    def planned(name: str, stack) -> dict:
        step(f"planning {name}")
        return stack.show(stack.plan())

    with _scratch_aws(settings, home, step):
        if "access" in chosen:
            yield "access", planned("access", stacks.access(settings, step, plan_only=True))
        if {"foundation", "serving", *ON_DEMAND} & set(chosen):
            foundation = planned("foundation", stacks.foundation(settings, step, plan_only=True))
            if "foundation" in chosen:
                yield "foundation", foundation
        if {"serving", *ON_DEMAND} & set(chosen):
            package = _publish(settings, plans.handover(foundation))
        if "serving" in chosen:
            yield "serving", planned("serving", stacks.serving(settings, settings.prefix, package, step))
        if "training_host" in chosen:
            yield "training_host", planned("the training host", stacks.training_host(settings, step, {}))
        for kind in ("studio", "notebook"):
            if (name := f"workbench/{kind}") in chosen:
                inputs = {
                    **settings.workbench.model_dump(exclude={"internet"}),
                    "kind": kind,
                    "internet_access": settings.workbench.internet or not settings.network.vpc,
                    "repository_uri": f"s3://{stacks.data_bucket(settings)}/code/0123456789abcdef/repository.tar.gz",
                }
                yield name, planned(f"a workbench, {kind}", stacks.workbench(settings, step, inputs))


def _publish(settings: Settings, handover: dict) -> str:
    """Hand over as an apply of the foundation would; returns the well-formed ARN of a model version."""
    from ops.aws import client

    if handover["network"]:  # whose subnets Terraform looks up
        handover = {**handover, "network": {**handover["network"], **_network(settings)}}
    client("ssm", settings.region).put_parameter(
        Name=f"/{settings.project}/{settings.environment}/foundation",
        Type="String",
        Value=json.dumps(handover),
    )
    group = handover["model_package_group_arn"].replace(":model-package-group/", ":model-package/")
    return f"{group}/1"


def _network(settings: Settings) -> dict:
    """A VPC with a subnet in each zone, as far as plans ask of it."""
    from ops.aws import client

    ec2 = client("ec2", settings.region)
    vpc = ec2.create_vpc(CidrBlock=settings.network.cidr)["Vpc"]["VpcId"]
    whole = ipaddress.IPv4Network(settings.network.cidr)
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=str(part), AvailabilityZone=zone["ZoneName"])["Subnet"][
            "SubnetId"
        ]
        for zone, part in zip(zones, whole.subnets(prefixlen_diff=3), strict=False)
    ]
    return {"vpc_id": vpc, "subnet_ids": subnets}


@contextlib.contextmanager
def _scratch_aws(settings: Settings, home: Path, step: Step) -> Iterator[None]:
    """This process pointed at an embedded AWS of its own, whatever the environment."""
    from embedded_aws import client as daemon

    daemon.destroy(home)  # of a run that was killed
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    try:
        step("starting an embedded AWS to plan on")
        daemon.start(home)
        _set_aws_variables(daemon.variables(home, settings.region))
        yield
    finally:
        _set_aws_variables(before)
        daemon.destroy(home)


def _set_aws_variables(variables: dict[str, str]) -> None:
    from ops import aws

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(variables)
    aws.forget()
