"""botocore's service models, parsed once per process."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader


def parse_once() -> None:
    """Share the parsed files between all sessions of this process. Each session parses several megabytes otherwise.

    Not S3's: its clients remove the bucket from the paths of the model, by which requests are recognized.
    """
    parse = JSONFileLoader.load_file
    parsed = cache(lambda path: parse(JSONFileLoader(), path))

    def load_file(loader: JSONFileLoader, path: str) -> Any:
        return parse(loader, path) if f"{os.sep}s3{os.sep}" in path else parsed(path)

    JSONFileLoader.load_file = load_file
