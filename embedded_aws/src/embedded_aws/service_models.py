"""botocore's service models, found and parsed once per process."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader, Loader


def share() -> None:
    """Share the list of services and the parsed files between all sessions of this process.

    Each session looks at a thousand folders and parses several megabytes otherwise.

    Not S3's model: its clients remove the bucket from the paths of the model, by which requests are recognized.
    """
    parse = JSONFileLoader.load_file
    parsed = cache(lambda path: parse(JSONFileLoader(), path))

    def load_file(loader: JSONFileLoader, path: str) -> Any:
        return parse(loader, path) if f"{os.sep}s3{os.sep}" in path else parsed(path)

    find = Loader.list_available_services
    found: dict[tuple[str, ...], list[str]] = {}

    def list_available_services(loader: Loader, type_name: str) -> list[str]:
        key = (type_name, *loader.search_paths)
        if key not in found:
            found[key] = find(loader, type_name)
        return found[key]

    JSONFileLoader.load_file = load_file
    Loader.list_available_services = list_available_services
