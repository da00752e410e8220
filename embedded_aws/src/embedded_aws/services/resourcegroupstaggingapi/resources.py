"""The tagged resources of a region: those that moto reports, corrected, and those of services where it reports none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from moto.apigatewayv2.models import apigatewayv2_backends
from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.budgets.models import budgets_backends
from moto.core.resource_tagging import TaggedResource, iter_taggable_backends
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ecr.models import ecr_backends
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

GLOBAL = "us-east-1"  # the region that reports resources without a region

# The type in an ARN, by the prefix of an id. EC2's other kinds cannot be tagged here.
_EC2 = {
    "ami": "image",
    "dopt": "dhcp-options",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "i": "instance",
    "igw": "internet-gateway",
    "key": "key-pair",
    "lt": "launch-template",
    "nat": "natgateway",
    "rtb": "route-table",
    "sg": "security-group",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}


def tagged(account: str, region: str) -> list[TaggedResource]:
    """Return the resources of a region that have tags, each once. Those without a region are in us-east-1."""
    found: dict[str, TaggedResource] = {}
    for resource in (*_of_moto(account, region), *_of_ec2(account, region), *_further(account, region)):
        if resource.tags:
            found.setdefault(resource.arn, resource)
    return list(found.values())


def _of_moto(account: str, region: str) -> Iterator[TaggedResource]:
    for backend in iter_taggable_backends(account, region):
        if backend.SERVICE_NAMESPACE == "ec2":
            continue  # moto's ARNs have other types, and addresses and endpoints are missing
        for resource in backend.iter_tagged_resources():
            if resource.resource_type == "s3:bucket" and not _is_in(resource.arn, account, region):
                continue
            arn = resource.arn.removesuffix(":*")  # of a log group
            yield TaggedResource(arn, dict(resource.tags), resource.resource_type)


def _is_in(bucket_arn: str, account: str, region: str) -> bool:
    """Return whether a bucket is in a region: moto has all buckets in one backend."""
    name = bucket_arn.rpartition(":")[2]
    buckets = s3_backends[account]["aws"].buckets
    return name in buckets and buckets[name].region_name == region


def _of_ec2(account: str, region: str) -> Iterator[TaggedResource]:
    backend = ec2_backends[account][region]
    for name in _existing(backend):
        kind = _EC2.get(name.rpartition("-")[0])
        if kind and name in backend.tags:
            yield _resource(
                f"arn:aws:ec2:{region}:{account}:{kind}/{name}", backend.tags[name], f"ec2:{kind}"
            )


def _existing(backend: EC2Backend) -> Iterator[str]:
    """Yield the ids of all resources: moto keeps the tags of deleted ones."""
    instances = (i for reservation in backend.reservations.values() for i in reservation.instances)
    networks = (*backend.nat_gateways.values(), *backend.vpc_end_points.values())
    gone = {found.id for found in (*instances, *networks) if found.state in ("deleted", "terminated")}
    for resource in backend.iter_tagged_resources():
        if (name := resource.arn.rpartition("/")[2]) not in gone:
            yield name
    for address in backend.addresses:
        yield address.allocation_id or ""
    yield from backend.vpc_end_points.keys() - gone
    yield from backend.launch_templates
    for pair in backend.key_pairs.values():
        yield pair.id


def _further(account: str, region: str) -> Iterator[TaggedResource]:
    apis = apigatewayv2_backends[account][region]
    for api in apis.apis.values():
        arn = f"arn:aws:apigateway:{region}::/apis/{api.api_id}"
        yield _resource(arn, apis.get_tags(api.arn), "apigateway:apis")
    repositories = ecr_backends[account][region]
    for repository in repositories.repositories.values():
        tags = repositories.tagger.get_tag_dict_for_resource(repository.arn)
        yield _resource(repository.arn, tags, "ecr:repository")
    events = events_backends[account][region]
    for bus in events.event_buses.values():
        for rule in bus.rules.values():
            yield _resource(rule.arn, events.tagger.get_tag_dict_for_resource(rule.arn), "events:rule")
    targets: Any = applicationautoscaling_backends[account][region]
    for arn, tags in targets.tags.items():
        yield _resource(arn, tags, "application-autoscaling:scalable-target")
    if region == GLOBAL:
        yield from _without_region(account)


def _without_region(account: str) -> Iterator[TaggedResource]:
    """Yield budgets and what IAM's resources the API knows: not its roles."""
    iam = iam_backends[account]["aws"]
    for profile in iam.instance_profiles.values():
        yield _resource(profile.arn, _pairs(profile.tags), "iam:instance-profile")
    for policy in iam.managed_policies.values():
        yield _resource(policy.arn, _pairs(policy.tags), "iam:policy")
    for provider in iam.open_id_providers.values():
        yield _resource(provider.arn, _pairs(provider.tags), "iam:oidc-provider")
    for name, budget in budgets_backends[account]["aws"].budgets[account].items():
        tags = vars(budget).get("resource_tags", {})
        yield _resource(f"arn:aws:budgets::{account}:budget/{name}", tags, "budgets:budget")


def _resource(arn: str, tags: Mapping[str, str], kind: str) -> TaggedResource:
    return TaggedResource(arn, dict(tags), kind)


def _pairs(tags: Mapping[str, Any] | Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return IAM's tags, which moto keeps as a list, or by lower-case key."""
    items = tags.values() if isinstance(tags, Mapping) else tags
    return {tag["Key"]: tag["Value"] for tag in items}
