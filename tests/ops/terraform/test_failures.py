"""The error of a failed Terraform command: which are to be resumed, and AWS's refusals without the SDK's report."""

import signal
from types import SimpleNamespace

import pytest

from ops.errors import OperatorError, Unfinished
from ops.terraform import failures

QUOTA = (
    "creating SageMaker AI Endpoint (x): operation error SageMaker: CreateEndpoint, https response error StatusCode: 400, "
    "RequestID: 3b5b-1,{}ResourceLimitExceeded: The account-level service limit is 0 Instances."
)


def failed(tmp_path, code: int = 1, summary: str = "", errored: bool = False) -> OperatorError:
    log, state = tmp_path / "log", tmp_path / "errored.tfstate"
    log.write_text("")
    if errored:
        state.write_text("{}")
    errors = [{"summary": summary, "address": "aws_sagemaker_endpoint.this"}] if summary else []
    return failures.error("apply", "serving", code, errors, log, state)


@pytest.mark.parametrize("between", [" ", " api error ", " HostID: abc=, api error "])
def test_a_refusal_is_reported_without_the_sdk_s_words(tmp_path, between):
    error = failed(tmp_path, summary=QUOTA.format(between))
    assert str(error) == (
        "terraform apply of serving failed: creating SageMaker AI Endpoint (x): AWS refused CreateEndpoint: "
        "ResourceLimitExceeded: The account-level service limit is 0 Instances (aws_sagemaker_endpoint.this)"
    )
    assert not isinstance(error, Unfinished)


@pytest.mark.parametrize(
    "reason",
    [
        "waiting for Lambda Function (x) update: unexpected state 'Failed', wanted target 'Successful'. last error: "
        "InvalidImage: the zip is damaged",
        "waiting for SageMaker AI Endpoint (x) to be in service: unexpected state 'Failed', wanted target 'InService'. last "
        "error: The primary container did not pass the ping health check",
    ],
)
def test_what_terraform_waited_for_in_vain_gives_the_reason_of_aws(tmp_path, reason):
    assert reason in str(failed(tmp_path, summary=reason))


@pytest.mark.parametrize(
    "given",
    [
        {"code": -signal.SIGKILL},
        {"summary": "saving state", "errored": True},
        {"summary": "dial tcp 127.0.0.1:5005: connect: connection refused"},
        {"summary": "operation error STS: GetCallerIdentity: ExpiredToken: The security token is expired"},
    ],
)
def test_what_the_same_command_resumes_is_not_to_be_undone(tmp_path, given):
    assert isinstance(failed(tmp_path, **given), Unfinished)


@pytest.mark.parametrize(
    ("output", "free"), [("", 4096), ('{"@message": "n.current: Refresh"}\n{"@mess', 10**9)]
)
def test_output_that_is_cut_off_names_the_disk(tmp_path, monkeypatch, output, free):
    log = tmp_path / "log"
    log.write_text(output)
    monkeypatch.setattr(failures.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    error = failures.error("plan", "serving", 1, [], log, tmp_path / "errored.tfstate")
    assert isinstance(error, Unfinished)
    assert str(log) in str(error) and "the disk is full" in str(error) and "Make room" in str(error)


def test_output_without_diagnostics_is_reported(tmp_path):
    log = tmp_path / "log"
    log.write_text("unexpected\n")
    error = failures.error("plan", "serving", 1, [], log, tmp_path / "errored.tfstate")
    assert str(error) == "terraform plan of serving failed: unexpected"
