"""botocore's service models, parsed once per process."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader


def parse_once() -> None:
    """Share the parsed files between all sessions of this process. Each session parses several megabytes otherwise."""
    parse = JSONFileLoader.load_file
    parsed = cache(lambda path: parse(JSONFileLoader(), path))

    def load_file(loader: JSONFileLoader, path: str) -> Any:
        return parsed(path)

    JSONFileLoader.load_file = load_file
