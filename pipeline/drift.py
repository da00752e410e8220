"""Compare what the stacks' outputs and states say with what exists: lost states, drift, orphans, locks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from ops.aws import error_code
from ops.documents import UnreadableDocument
from ops.environment import Environment
from ops.inventory.kinds import KINDS
from ops.live_endpoint import LiveEndpoint
from ops.outputs import Serving, endpoint_option
from ops.settings import Settings
from ops.terraform import dependencies, stacks
from pipeline import unlock
from pipeline.leftovers import Leftover

Finding = dict[str, str]

TERRAFORM_KINDS = frozenset(kind.name for kind in KINDS if kind.types)
"""The kinds of resources that a state holds. `./inv down` also finds others, and other regions'."""
_SCALING_ALARM = "TargetTracking-"  # Application Auto Scaling creates them


@dataclass(frozen=True)
class States:
    """The Terraform states of an environment.

    deployed: stacks whose state holds resources.
    damaged: the problem of each state that cannot be read.
    identifiers: IDs, names and ARNs of the resources in all states.
    """

    deployed: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    identifiers: frozenset[str] = frozenset()


def finding(what: str, name: str, problem: str) -> Finding:
    """Return something that a person should look at."""
    return {"what": what, "name": name, "problem": problem}


def states(env: Environment) -> States:
    """Return the states of the environment, damaged ones apart."""
    deployed, damaged = [], {}
    found: set[str] = set()
    for name in stacks.states(env):
        try:
            resources = stacks.resources(env, name)
        except UnreadableDocument as error:
            damaged[name] = str(error)
            continue
        if resources:
            deployed.append(name)
            found |= dependencies.identifiers({"resources": resources})
    return States(deployed, damaged, frozenset(found))


def lost_states(settings: Settings, known: States, applied: Iterable[str]) -> list[Finding]:
    """Return the stacks that have outputs but no state. applied: stacks that have outputs."""
    return [
        finding(
            "state",
            name,
            "lost: its resources exist, but no Terraform state holds them; "
            f"./inv up{settings.flag} adopts them, ./inv down{settings.flag} removes them",
        )
        for name in applied
        if name not in known.deployed and name not in known.damaged
    ]


def locks(env: Environment) -> list[Finding]:
    """Return who holds the locks of the environment's states."""
    flag = env.settings.flag
    return [
        finding(
            "lock",
            item.stack,
            f"held by {item.lock}; "
            + (f"./inv unlock{flag} says more" if item.reason else _UNLOCK.format(flag)),
        )
        for item in unlock.find(env)
    ]


_UNLOCK = "the next command, or ./inv unlock{}, releases it"


def orphans(settings: Settings, found: Iterable[Leftover], known: States) -> list[Finding]:
    """Return the resources of the environment that no Terraform state holds."""
    advice = f"./inv up{settings.flag} adopts what belongs to a stack, ./inv down{settings.flag} removes it"
    return [
        finding("orphan", item.name, f"{item.kind} in no state{_bills(item)}: {advice}")
        for item in found
        if not item.name.startswith(_SCALING_ALARM) and not _names(item) & known.identifiers
    ]


def _bills(item: Leftover) -> str:
    if item.monthly is None:
        return ", of unknown cost"
    return f", {item.monthly:.2f} USD a month" if item.monthly else ""


def _names(item: Leftover) -> set[str]:
    arn, id = item.arn, item.found.resource.id if item.found else ""
    return {name for name in (item.name, id, arn, arn.split("/")[-1], arn.split(":")[-1]) if name}


def endpoint(settings: Settings, serving: Serving, live: LiveEndpoint | None) -> str:
    """Return how an endpoint differs from its outputs, and what to type; empty if it does not."""
    deploy = f"./inv deploy{settings.flag}{endpoint_option(settings, serving.endpoint_name)}"
    if live is None:
        return f"it was deleted outside this repository: {deploy} creates it again"
    if live.config == serving.endpoint_config_name or not live.config:
        return (
            f"{live.reason}: {deploy} repairs it" if live.status in ("Failed", "UpdateRollbackFailed") else ""
        )
    wanted = serving.model_package_arn.rpartition("/")[2]
    return (
        f"it serves {live.config} and not {serving.endpoint_config_name} (model {wanted}): the last deployment was rolled "
        f"back, or it was changed outside this repository; {deploy} deploys again"
    )


def function(env: Environment, serving: Serving) -> str:
    """Return how an endpoint's function differs from its outputs, and what to type; empty if it does not."""
    if serving.function_name is None:
        return ""
    deploy = f"./inv deploy{env.settings.flag}{endpoint_option(env.settings, serving.endpoint_name)}"
    try:
        alias = env.client("lambda").get_alias(
            FunctionName=serving.function_name, Name=serving.function_alias
        )
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return f"it was deleted outside this repository: {deploy} creates it again"
        raise
    if alias["FunctionVersion"] == serving.function_version:
        return ""
    return (
        f"{serving.function_alias} points to version {alias['FunctionVersion']} and not {serving.function_version}: "
        f"it was changed outside this repository; {deploy} deploys again"
    )


def foundation(env: Environment) -> list[Finding]:
    """Return what of the foundation was removed or disabled outside this repository."""
    found, apply = [], f"./inv apply --stack foundation{env.settings.flag}"
    outputs = env.outputs.foundation
    try:
        env.client("s3").head_bucket(Bucket=outputs.bucket)
    except ClientError as error:
        if error_code(error) not in ("404", "NoSuchBucket"):
            raise
        found.append(
            finding("drift", outputs.bucket, f"the data bucket does not exist: {apply} creates it again")
        )
    state = _key_state(env, outputs.kms_key_arn)
    if state != "Enabled":
        remedy = (
            f"aws kms cancel-key-deletion --key-id {outputs.kms_key_arn}, then aws kms enable-key"
            if state == "PendingDeletion"
            else apply
        )
        text = f"the KMS key is {state}, so data and models cannot be read: {remedy}"
        found.append(finding("drift", outputs.kms_key_arn, text))
    return found


def _key_state(env: Environment, key: str) -> str:
    try:
        return str(env.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"])
    except ClientError as error:
        if error_code(error) != "NotFoundException":
            raise
        return "deleted"
