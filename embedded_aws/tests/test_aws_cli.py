"""The AWS CLI as a colleague types it, with nothing but the variables that `./inv local.up` prints."""

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
    """Runs the CLI in an empty folder; returns the ended process."""
    command = Path(sys.executable).with_name("aws")
    if not command.exists():
        pytest.skip("the AWS CLI is not in this environment: ./inv builds one with it")
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


def test_files_travel_to_s3_and_back(aws: Any, tmp_path: Path) -> None:
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


def test_services_answer(aws: Any, embedded_aws: Any, tmp_path: Path) -> None:
    """One by each protocol: query, JSON, REST, CBOR."""
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


def test_an_error_of_aws_is_told_by_its_code(aws: Any) -> None:
    refused = aws("sagemaker", "describe-endpoint", "--endpoint-name", "nobody")
    assert refused.returncode == 255 and refused.stdout == ""
    assert "An error occurred (ValidationException) when calling the DescribeEndpoint" in refused.stderr
