"""AWS CLI with the variables of `embedded-aws env`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from functions_kit import Functions


@pytest.fixture
def aws(embedded_aws: Any, tmp_path: Path) -> Any:
    """Function that runs the CLI in an empty folder and returns the completed process."""
    command = Path(sys.executable).with_name("aws")
    if not command.exists():
        pytest.skip("the AWS CLI is not installed in this environment")
    environment = {
        **os.environ,
        **embedded_aws.credentials,
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "AWS_PAGER": "",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(command), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def answer(ended: subprocess.CompletedProcess[str]) -> Any:
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_files_are_copied_to_s3_and_back(aws: Any, tmp_path: Path) -> None:
    body = os.urandom(9_000_000)  # in two parts
    (tmp_path / "picture").write_bytes(body)
    for arguments in (
        ["mb", "s3://from-the-cli"],
        ["cp", "picture", "s3://from-the-cli/a/picture"],
        ["cp", "s3://from-the-cli/a/picture", "back"],
    ):
        ended = aws("s3", *arguments)
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "back").read_bytes() == body
    listed = aws("s3", "ls", "s3://from-the-cli", "--recursive")
    assert listed.stdout.split()[2:] == ["9000000", "a/picture"]
    refused = aws("s3", "cp", "s3://from-the-cli/nothing", "there")
    assert refused.returncode == 1 and "(404)" in refused.stderr


def test_commands_of_each_protocol_work(aws: Any, embedded_aws: Any, tmp_path: Path) -> None:
    """One of each protocol: query, JSON, REST, CBOR."""
    identity = answer(aws("sts", "get-caller-identity"))
    assert identity["Account"] == "123456789012" and identity["Arn"].endswith(":root")
    embedded_aws.client("iam").create_user(UserName="typed")
    assert answer(aws("iam", "get-user", "--user-name", "typed"))["User"]["UserName"] == "typed"
    assert isinstance(answer(aws("sagemaker", "list-endpoints"))["Endpoints"], list)
    assert isinstance(answer(aws("cloudwatch", "describe-alarms"))["MetricAlarms"], list)

    function = Functions(embedded_aws).create()
    (tmp_path / "event.json").write_text('{"from": "the CLI"}')
    invoked = aws("lambda", "invoke", "--function-name", function, "--payload", "file://event.json", "out")
    assert answer(invoked)["StatusCode"] == 200
    assert json.loads((tmp_path / "out").read_text())["event"] == {"from": "the CLI"}


def test_errors_are_reported_with_aws_s_code(aws: Any) -> None:
    refused = aws("sagemaker", "describe-endpoint", "--endpoint-name", "nobody")
    assert refused.returncode == 255 and refused.stdout == ""
    assert "An error occurred (ValidationException) when calling the DescribeEndpoint" in refused.stderr
