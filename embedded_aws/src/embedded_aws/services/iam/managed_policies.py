"""AWS managed policies that read their documents when first used: 1,600 documents, of which a few are ever used."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend
from moto.utilities.utils import get_partition

_NEXT = "\n },\n"  # between two policies
_PATH = '\n  "Path":"'


class EmbeddedManagedPolicy(AWSManagedPolicy):
    """An AWS managed policy that knows its ARN, and reads its other attributes when one of them is first used."""

    def __init__(self, name: str, account_id: str, region: str, path: str):
        self.name, self.account_id, self.path = name, account_id, path
        self.partition = get_partition(region)
        self.attachment_count = 0
        self._region = region

    def __getattr__(self, attribute: str) -> Any:
        """Read the other attributes. Called for an attribute that is not there yet."""
        if attribute.startswith("_"):  # of pickle and copy
            raise AttributeError(attribute)
        whole = AWSManagedPolicy.from_data(self.name, self.account_id, self._region, _data(self.name))
        for name, value in vars(whole).items():
            self.__dict__.setdefault(name, value)  # of two threads at once, both see the values of one
        return object.__getattribute__(self, attribute)


def of_backend(backend: IAMBackend) -> list[AWSManagedPolicy]:
    """Return the AWS managed policies of an account, in moto's order."""
    return [
        EmbeddedManagedPolicy(name, backend.account_id, backend.region_name, path)
        for name, (path, _) in _index().items()
    ]


@cache
def _index() -> dict[str, tuple[str, int]]:
    """Return the path of each policy, and where its JSON object begins in moto's text."""
    text, found = aws_managed_policies_data, {}
    begin = text.index('"')
    while begin >= 0:
        end = text.find(_NEXT, begin)
        name, _, _ = text[begin + 1 : begin + 200].partition('"')
        path = text.rindex(_PATH, begin, None if end < 0 else end) + len(_PATH)
        found[name] = (text[path : text.index('"', path)], text.index("{", begin))
        begin = text.find('"', end) if end >= 0 else -1
    return found


def _data(name: str) -> dict[str, Any]:
    """Return moto's data of a policy."""
    content: dict[str, Any]
    content, _ = json.JSONDecoder().raw_decode(aws_managed_policies_data, _index()[name][1])
    return content
