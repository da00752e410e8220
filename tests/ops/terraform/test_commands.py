"""Terraform commands: errors, concurrent runs, environment variables."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from ops.errors import OperatorError
from ops.terraform import providers
from tests.ops.terraform.fake_events import diagnostic

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method")  # of python-terraform


# ---- errors ----


def test_a_failure_is_reported_in_terraform_s_words(stack, fake_terraform):
    warning = {"type": "diagnostic", "diagnostic": {"severity": "warning", "summary": "Deprecated"}}
    error = diagnostic("creating role", "AccessDenied:\n  not authorized", address="aws_iam_role.training")
    fake_terraform.does("plan", {"lines": [warning, error], "rc": 1})
    with pytest.raises(OperatorError) as failed:
        stack().plan()
    assert str(failed.value) == (
        "terraform plan of foundation failed: creating role (aws_iam_role.training): AccessDenied: not authorized"
    )


def test_many_errors_are_shortened_with_a_reference_to_the_log(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": [diagnostic(f"Wrong {n}.") for n in range(5)], "rc": 1})
    with pytest.raises(OperatorError, match=r"Wrong 0; Wrong 1; Wrong 2 \(and 2 more, in .*run.jsonl\)"):
        stack().plan()


def test_a_crash_is_reported_with_the_last_lines(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": ["panic: runtime error"], "rc": 2})
    with pytest.raises(OperatorError, match="plan of foundation failed: panic: runtime error"):
        stack().plan()
    fake_terraform.does("plan", {"rc": 2})
    with pytest.raises(OperatorError, match="it printed nothing"):
        stack().plan()


def test_an_unreachable_provider_is_reported_with_a_remedy(stack, fake_terraform):
    error = diagnostic("Failed to query available provider packages", "could not connect to the registry")
    fake_terraform.does("init", {"lines": [error], "rc": 1})
    with pytest.raises(OperatorError, match=r"^The Terraform provider hashicorp/aws .*TF_PLUGIN_DIR"):
        stack().plan()


@pytest.mark.parametrize(
    ("detail", "beginning"),
    [
        ("ExpiredToken: the security token has expired", "The AWS credentials have expired: sign in again"),
        ("StatusCode: 403, RequestTimeTooSkewed", "This machine's clock differs from AWS's"),
        (
            "dial tcp 10.0.0.1:443: connect: connection refused",
            "AWS did not answer during terraform plan of foundation: check the network",
        ),
        ("lookup sts.eu-west-1.amazonaws.com: no such host", "AWS did not answer during terraform plan"),
    ],
)
def test_an_error_with_a_known_remedy_names_it(stack, fake_terraform, monkeypatch, detail, beginning):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    fake_terraform.does("plan", {"lines": [diagnostic("reading role", detail)] * 9, "rc": 1})
    with pytest.raises(OperatorError) as failed:
        stack().plan()
    assert str(failed.value).startswith(beginning)
    assert f"Terraform reported: reading role: {detail}" in str(failed.value)
    assert len(str(failed.value)) < 1100


# ---- concurrent runs ----


def test_terraform_runs_without_its_own_lock(stack, fake_terraform):
    stack().up()
    assert "-lock=false" in fake_terraform.calls("plan")[0]["arguments"]
    assert not any("lock=" in argument for argument in fake_terraform.calls("init")[0]["arguments"])


def test_concurrent_runs_of_a_stack_are_serialized(stack, fake_terraform, until):
    fake_terraform.does("plan", {"wait": "go"})
    first, second = stack(), stack()
    threads = [threading.Thread(target=first.plan, kwargs={"lock": False})]
    threads[0].start()
    until(lambda: fake_terraform.calls("plan"))
    threads.append(threading.Thread(target=second.commands.run, args=("apply",)))
    threads[1].start()
    until(lambda: second.texts)
    assert second.texts[0] == "waiting for another Terraform run of foundation on this machine"
    assert fake_terraform.calls("apply") == []
    (fake_terraform.home / "go").touch()
    for thread in threads:
        thread.join(10)
    assert len(fake_terraform.calls("apply")) == 1


# ---- environment ----


def test_the_environment_is_restored_after_a_run(stack, fake_terraform, monkeypatch):
    monkeypatch.setenv("TF_IN_AUTOMATION", "before")
    before = dict(os.environ)
    made = stack()
    made.plan()
    assert dict(os.environ) == before
    environment = fake_terraform.calls("plan")[0]["environment"]
    assert environment["TF_DATA_DIR"] == str(made.work / "data")
    assert environment["CHECKPOINT_DISABLE"] == "1"
    assert environment["TF_IN_AUTOMATION"] == "1"


def test_terraform_gets_no_option_or_input_of_the_shell(stack, fake_terraform, monkeypatch):
    for name, value in {
        "TF_CLI_ARGS": "-no-color",
        "TF_CLI_ARGS_plan": "-destroy",
        "TF_WORKSPACE": "staging",
        "TF_VAR_environment": "prod",
        "TF_DATA_DIR": "/nowhere",
        "TF_LOG": "trace",
        "TF_INPUT": "1",
        "TF_REATTACH_PROVIDERS": "{}",
    }.items():
        monkeypatch.setenv(name, value)
    made = stack()
    made.up()
    for call in fake_terraform.calls():
        assert call["environment"] == {
            "TF_DATA_DIR": str(made.work / "data"),
            "TF_CLI_CONFIG_FILE": str(providers.cli_config()),
            "TF_WORKSPACE": "default",
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }


def test_a_missing_cli_configuration_is_replaced(stack, fake_terraform, monkeypatch, repository):
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/nowhere/terraform.tfrc")
    stack().plan()
    used = fake_terraform.calls("plan")[0]["environment"]["TF_CLI_CONFIG_FILE"]
    assert Path(used).is_relative_to(repository)
    assert os.environ["TF_CLI_CONFIG_FILE"] == "/nowhere/terraform.tfrc"
