"""What the Resource Groups Tagging API reports: an environment's resources in every region of the account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ops.aws import error_code, tag_dict
from ops.environment import Environment
from ops.inventory.belonging import Belonging
from ops.inventory.model import Place, Tags, pages

WORKERS = 8
_LIMIT = 100  # ARNs in one request


@dataclass(frozen=True)
class Tagged:
    """A resource with the environment's tags, which may be deleted already: AWS reports it for a while."""

    arn: str
    tags: Tags
    region: str


def regions(env: Environment) -> list[str]:
    """Return the regions that are enabled in the account, the environment's first."""
    home = env.settings.region
    names = {region["RegionName"] for region in env.client("ec2").describe_regions()["Regions"]}
    return [home, *sorted(names - {home})]


def everywhere(
    env: Environment, progress: Callable[[str], None], places: Sequence[str] | None = None
) -> list[Tagged]:
    """Return all resources with the environment's tags. A region that the account denies is reported and left out.

    places: regions; by default all that are enabled.
    """
    filters = Belonging(env.settings).filters

    def in_region(region: str) -> list[Tagged]:
        client = Place(env, region).client("resourcegroupstaggingapi")
        try:
            return [
                Tagged(_arn(item["ResourceARN"]), tag_dict(item["Tags"]), region)
                for item in pages(client, "get_resources", "ResourceTagMappingList", TagFilters=filters)
            ]
        except ClientError as error:
            # A service control policy may deny whole regions; nobody can have created anything there.
            if region == env.settings.region or error_code(error) != "AccessDeniedException":
                raise
            progress(f"{region} is not searched: the account denies it")
            return []

    with ThreadPoolExecutor(WORKERS) as pool:
        return [item for found in pool.map(in_region, places or regions(env)) for item in found]


def of(place: Place, arns: Sequence[str]) -> dict[str, Tags]:
    """Return the tags of resources by ARN, without those of which the API knows nothing."""
    client = place.client("resourcegroupstaggingapi")
    found: dict[str, Tags] = {}
    for start in range(0, len(arns), _LIMIT):
        found.update(_of(client, arns[start : start + _LIMIT]))
    return found


def _of(client: object, arns: Sequence[str]) -> dict[str, Tags]:
    try:
        return {
            _arn(item["ResourceARN"]): tag_dict(item["Tags"])
            for item in pages(client, "get_resources", "ResourceTagMappingList", ResourceARNList=list(arns))
        }
    except ClientError as error:
        if error_code(error) != "InvalidParameterException":
            raise
        if len(arns) == 1:
            return {}  # a kind of resource that the API does not support
        half = len(arns) // 2
        return {**_of(client, arns[:half]), **_of(client, arns[half:])}


def _arn(text: str) -> str:
    return text.removesuffix(":*")
