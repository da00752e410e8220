"""A stack that a fake Terraform plans and applies, with a lock in a folder."""

from __future__ import annotations

import pytest

from ops.terraform.stack import Stack
from tests.ops.terraform.file_s3 import FileS3


@pytest.fixture
def s3(tmp_path) -> FileS3:
    """The S3 with the locks of states."""
    return FileS3(tmp_path / "s3")


@pytest.fixture
def stack(repository, machine, fake_terraform, s3):
    """Return a function that makes stack `foundation`. Its progress texts are in `.texts`."""

    def make(**options) -> Stack:
        texts: list[str] = []
        made = Stack(
            **{
                "root": "foundation",
                "key": "test/foundation.tfstate",
                "state_bucket": "states",
                "region": "eu-west-1",
                "progress": lambda text, important=False: texts.append(text),
                "s3": s3,
                **options,
            }
        )
        made.texts = texts
        return made

    return make
