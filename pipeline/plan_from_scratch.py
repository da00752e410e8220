"""Plans of an environment as if nothing existed, made on an empty account such as an embedded AWS."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ops import child_environment, sessions
from ops.checks import plans
from ops.console import Step
from ops.environment import Environment
from ops.outputs import parameter
from ops.terraform import stacks
from ops.terraform.shared_provider import SharedProvider, installed
from ops.terraform.stack import Stack

Json = dict[str, Any]

WORKBENCHES = ("workbench/studio", "workbench/notebook")
"""Each kind of workbench, planned separately."""

ON_DEMAND = ("training_host", *WORKBENCHES)


def plan_from_scratch(env: Environment, chosen: Sequence[str], step: Step) -> Iterator[tuple[str, Json]]:
    """Yield the chosen stacks in order, each with its plan as `terraform show -json` prints it.

    Serving and the stacks of ON_DEMAND are planned with the outputs of the planned foundation and a well-formed model
    version; without a private network, in the default VPC with internet access.

    env: in an account without the environment's stacks.
    """
    with _Planner(env, step) as planner:
        if "access" in chosen:
            yield "access", planner.plan("access", stacks.access(env, step, plan_only=True))
        after_foundation = set(chosen) & {"serving", *ON_DEMAND}
        if "foundation" in chosen or after_foundation:
            foundation = planner.plan("foundation", stacks.foundation(env, step, plan_only=True))
            if "foundation" in chosen:
                yield "foundation", foundation
            package = _write_outputs(env, plans.foundation_outputs(foundation)) if after_foundation else ""
        if "serving" in chosen:
            serving = stacks.serving(env, env.settings.prefix, package, step)
            yield "serving", planner.plan("serving", serving)
        if "training_host" in chosen:
            yield "training_host", planner.plan("training_host", stacks.training_host(env, step))
        for name in WORKBENCHES:
            if name in chosen:
                variables = _workbench_variables(env, name.rpartition("/")[2])
                yield name, planner.plan(name, stacks.workbench(env, step, variables))


class _Planner:
    """Plans stacks that attach to one provider process, which the first of them installs. A context manager that ends it.

    Terraform otherwise verifies and starts the provider several times for each plan, which takes most of its time.
    """

    def __init__(self, env: Environment, step: Step) -> None:
        self._env, self._step = env, step
        self._provider: SharedProvider | None = None

    def __enter__(self) -> _Planner:
        return self

    def __exit__(self, *_: object) -> None:
        if self._provider:
            self._provider.stop()

    def plan(self, name: str, stack: Stack) -> Json:
        """Return the plan of a stack."""
        self._step(f"planning {name}")
        if self._provider:
            stack.attached = self._provider.variables
        content = stack.show(stack.plan())
        if self._provider is None and (executable := installed(stack.work / "data")):
            variables = sessions.child_variables(self._env.session, self._env.settings.region)
            self._provider = SharedProvider(executable, child_environment.build("terraform", variables))
        return content


def _workbench_variables(env: Environment, kind: str) -> Json:
    settings = env.settings
    return {
        **settings.workbench.model_dump(exclude={"internet"}),
        "kind": kind,
        "internet_access": settings.workbench.internet or not settings.network.vpc,
        "repository_uri": f"s3://{env.data_bucket}/code/0123456789abcdef/repository.tar.gz",
    }


def _write_outputs(env: Environment, outputs: Json) -> str:
    """Write the foundation's outputs as its apply would. Returns the well-formed ARN of a model version."""
    if outputs["network"]:  # Terraform looks its subnets up
        outputs = {**outputs, "network": {**outputs["network"], **_create_network(env)}}
    env.client("ssm").put_parameter(
        Name=parameter(env.settings, "foundation"), Type="String", Value=json.dumps(outputs)
    )
    group = outputs["model_package_group_arn"].replace(":model-package-group/", ":model-package/")
    return f"{group}/1"


def _create_network(env: Environment) -> Json:
    """Create a VPC with a subnet in each Availability Zone."""
    ec2, cidr = env.client("ec2"), env.settings.network.cidr
    vpc = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    ranges = ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=3)
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=str(block), AvailabilityZone=zone["ZoneName"])
        for zone, block in zip(zones, ranges, strict=False)
    ]
    return {"vpc_id": vpc, "subnet_ids": [subnet["Subnet"]["SubnetId"] for subnet in subnets]}
