"""Scripts in user data."""

from __future__ import annotations

import base64
import gzip
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from embedded_aws.services.ec2 import user_data
from embedded_aws.services.ec2.exceptions import InvalidUserData
from embedded_aws.services.ec2.user_data import Script


def encoded(content: str | bytes) -> str:
    return base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()


def archive(*parts: tuple[str, str]) -> str:
    message = MIMEMultipart()
    for subtype, text in parts:
        message.attach(MIMEText(text, subtype))
    return message.as_string()


def test_scripts_returns_the_scripts_in_order():
    script = Script(b"#!/bin/sh\ntrue\n")
    assert user_data.scripts(encoded(script.content)) == [script]
    assert user_data.scripts(encoded(gzip.compress(script.content))) == [script]
    assert user_data.scripts(encoded("key=value")) == []
    kinds = ("x-shellscript", "x-shellscript-per-boot", "x-shellscript", "x-shellscript-per-boot")
    parts = archive(*((kind, f"#!/bin/sh\n{number}") for number, kind in enumerate(kinds)))
    assert user_data.scripts(encoded(parts)) == [
        Script(b"#!/bin/sh\n1", True),
        Script(b"#!/bin/sh\n3", True),
        Script(b"#!/bin/sh\n0"),
        Script(b"#!/bin/sh\n2"),
    ]


@pytest.mark.parametrize(
    "content", ["#cloud-config\npackages: [git]\n", "#include\nhttps://x", archive(("cloud-config", "a: 1"))]
)
def test_scripts_refuses_other_formats_of_cloud_init(content):
    with pytest.raises(NotImplementedError, match="use a script"):
        user_data.scripts(encoded(content))


@pytest.mark.parametrize("content", [b"#!/bin/sh\n" + b"#" * 16_384, b"\x1f\x8bnot gzip"])
def test_scripts_refuses_invalid_user_data(content):
    with pytest.raises(InvalidUserData):
        user_data.scripts(encoded(content))
