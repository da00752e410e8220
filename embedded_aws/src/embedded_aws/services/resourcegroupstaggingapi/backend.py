"""Tagged resources in pages. A page token is a position in the sorted list, so it outlives a restart."""

from __future__ import annotations

import base64
from typing import Any

from moto.core.resource_tagging import TaggedResource, make_tag_matcher, match_resource_type
from moto.resourcegroupstaggingapi import urls
from moto.resourcegroupstaggingapi.exceptions import ResourceGroupsTaggingAPIError
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend

from embedded_aws.services.resourcegroupstaggingapi.resources import tagged

KEYS = 100  # tag keys or values on one page


class EmbeddedTaggingBackend(ResourceGroupsTaggingAPIBackend):
    """moto's backend with all services of the embedded AWS."""

    _url_module = urls

    def get_resources(
        self,
        pagination_token: str | None = None,
        resources_per_page: int = 50,
        tags_per_page: int = 100,
        tag_filters: list[dict[str, Any]] | None = None,
        resource_type_filters: list[str] | None = None,
        resource_arn_list: list[str] | None = None,
    ) -> tuple[str | None, list[TaggedResource]]:
        """Return a page of resources by ARN, and the token of the next."""
        matches = make_tag_matcher(tag_filters)
        found = {
            resource.arn: resource
            for resource in tagged(self.account_id, self.region_name)
            if match_resource_type(resource.resource_type, resource_type_filters)
            and matches(resource.tags)
            and (not resource_arn_list or resource.arn in resource_arn_list)
        }
        page: list[TaggedResource] = []
        for arn in _after(pagination_token, sorted(found)):
            tags = sum(len(resource.tags) for resource in page) + len(found[arn].tags)
            if len(page) == resources_per_page or (page and tags > tags_per_page):
                return _token(page[-1].arn), page
            page.append(found[arn])
        return None, page

    def get_tag_keys(self, pagination_token: str | None = None) -> tuple[str | None, list[str]]:
        """Return a page of tag keys, and the token of the next."""
        keys = {key for resource in tagged(self.account_id, self.region_name) for key in resource.tags}
        return _page(sorted(keys), pagination_token)

    def get_tag_values(self, pagination_token: str | None, key: str) -> tuple[str | None, list[str]]:
        """Return a page of the values of a tag, and the token of the next."""
        resources = tagged(self.account_id, self.region_name)
        return _page(sorted({r.tags[key] for r in resources if key in r.tags}), pagination_token)


def _page(items: list[str], token: str | None) -> tuple[str | None, list[str]]:
    left = _after(token, items)
    return (_token(left[KEYS - 1]) if len(left) > KEYS else None), left[:KEYS]


def _after(token: str | None, items: list[str]) -> list[str]:
    if not token:
        return items
    try:
        last = base64.b64decode(token, b"-_", validate=True).decode()
    except ValueError:  # also of base64 and of UTF-8
        raise ResourceGroupsTaggingAPIError(
            "PaginationTokenExpiredException", "The pagination token is not valid."
        ) from None
    return [item for item in items if item > last]


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()
