"""Pages of S3's listings: prefix, delimiter, marker and limit, for keys, versions and multipart uploads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MAX_ITEMS = 1000  # the largest page, whatever a request asks for

Item = TypeVar("Item")


@dataclass
class Page(Generic[Item]):
    """A page of a listing.

    items: in the order of the listing.
    prefixes: common prefixes, which count as items.
    truncated: whether something follows.
    last: key of the last item, or the last common prefix: the marker of the next page.
    last_item: None if the page ends with a common prefix.
    """

    items: list[Item] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    last: str = ""
    last_item: Item | None = None


def page(
    keys: Iterable[str],
    items: Callable[[str], Iterable[Item]],
    *,
    prefix: str,
    delimiter: str,
    marker: str,
    limit: int,
    also_marker: bool = False,
) -> Page[Item]:
    """Return the page after a marker. The marker need not exist: only the order of keys counts.

    keys: all keys, in any order. Listings have the order of Unicode code points, which is that of UTF-8.
    items: returns what a key lists: its object, its versions, its uploads.
    marker: key or common prefix; empty for the first page.
    also_marker: `items` returns what still follows for the key that is the marker.
    """
    found: Page[Item] = Page()
    limit = min(limit, MAX_ITEMS)
    if limit <= 0:
        return found
    chosen = (k for k in keys if k.startswith(prefix) and (k > marker or (also_marker and k == marker)))
    for key in sorted(chosen):
        shared = _common_prefix(key, prefix, delimiter)
        if shared:
            if shared == found.last or (marker and shared <= marker):
                continue
            if _is_full(found, limit):
                found.truncated = True
                return found
            found.prefixes.append(shared)
            found.last, found.last_item = shared, None
            continue
        for item in items(key):
            if _is_full(found, limit):
                found.truncated = True
                return found
            found.items.append(item)
            found.last, found.last_item = key, item
    return found


def _is_full(found: Page[Item], limit: int) -> bool:
    return len(found.items) + len(found.prefixes) >= limit


def _common_prefix(key: str, prefix: str, delimiter: str) -> str:
    """Return the key up to the first delimiter after the prefix; empty if there is none."""
    end = key.find(delimiter, len(prefix)) if delimiter else -1
    return "" if end < 0 else key[: end + len(delimiter)]
