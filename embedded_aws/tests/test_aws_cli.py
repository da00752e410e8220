"""AWS CLI with the variables of `embedded-aws env`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from functions_kit import Functions

# The CLI's entry point for each command line on standard input; one interpreter start instead of one per command.
DRIVER = """
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver

results = []
for words in json.load(sys.stdin):
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        status = create_clidriver().main(words)
    results.append([status, *(stream.buffer.getvalue().decode() for stream in streams)])
json.dump(results, sys.stdout)
"""


class Completed(NamedTuple):
    """Result of one command."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        assert self.status == 0, self.stderr
        return json.loads(self.stdout)


@pytest.fixture
def aws(embedded_aws: Any, tmp_path: Path) -> Callable[..., list[Completed]]:
    """Function that runs commands in an empty folder and returns their results."""
    if find_spec("awscli") is None:
        pytest.skip("the AWS CLI is not installed in this environment")
    environment = {
        **os.environ,
        **embedded_aws.credentials,
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "AWS_PAGER": "",
    }

    def run(*commands: str) -> list[Completed]:
        ended = subprocess.run(
            [sys.executable, "-c", DRIVER],
            cwd=tmp_path,
            env=environment,
            input=json.dumps([command.split() for command in commands]),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return [Completed(*result) for result in json.loads(ended.stdout)]

    return run


def test_files_are_copied_to_s3_and_back(aws: Callable[..., list[Completed]], tmp_path: Path) -> None:
    body = os.urandom(9_000_000)  # in two parts
    (tmp_path / "picture").write_bytes(body)
    *copied, listed, refused = aws(
        "s3 mb s3://from-the-cli",
        "s3 cp picture s3://from-the-cli/a/picture --no-progress",
        "s3 cp s3://from-the-cli/a/picture back --no-progress",
        "s3 ls s3://from-the-cli --recursive",
        "s3 cp s3://from-the-cli/nothing there",
    )
    assert [result.status for result in copied] == [0, 0, 0], copied
    assert (tmp_path / "back").read_bytes() == body
    assert listed.stdout.split()[2:] == ["9000000", "a/picture"]
    assert refused.status == 1 and "(404)" in refused.stderr


def test_commands_of_each_protocol_work(
    aws: Callable[..., list[Completed]], embedded_aws: Any, tmp_path: Path
) -> None:
    """One of each protocol: query, JSON, REST, CBOR."""
    embedded_aws.client("iam").create_user(UserName="typed")
    function = Functions(embedded_aws).create()
    (tmp_path / "event.json").write_text('{"from": "the CLI"}')
    identity, user, endpoints, alarms, invoked, refused = aws(
        "sts get-caller-identity",
        "iam get-user --user-name typed",
        "sagemaker list-endpoints",
        "cloudwatch describe-alarms",
        f"lambda invoke --function-name {function} --payload file://event.json out",
        "sagemaker describe-endpoint --endpoint-name nobody",
    )
    assert identity.json()["Account"] == "123456789012" and identity.json()["Arn"].endswith(":root")
    assert user.json()["User"]["UserName"] == "typed"
    assert isinstance(endpoints.json()["Endpoints"], list)
    assert isinstance(alarms.json()["MetricAlarms"], list)
    assert invoked.json()["StatusCode"] == 200
    assert json.loads((tmp_path / "out").read_text())["event"] == {"from": "the CLI"}
    assert refused.status == 255 and refused.stdout == ""
    assert "An error occurred (ValidationException) when calling the DescribeEndpoint" in refused.stderr
