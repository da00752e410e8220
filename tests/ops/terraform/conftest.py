"""A stack that a fake Terraform plans and applies."""

from __future__ import annotations

import pytest

from ops.terraform.stack import Stack


@pytest.fixture
def stack(repository, machine, fake_terraform):
    """Return a function that makes stack `foundation`. Its progress texts are in `.texts`."""

    def make(**options) -> Stack:
        texts: list[str] = []
        made = Stack(
            **{
                "root": "foundation",
                "key": "test/foundation.tfstate",
                "state_bucket": "states",
                "region": "eu-west-1",
                "progress": texts.append,
                **options,
            }
        )
        made.texts = texts
        return made

    return make
