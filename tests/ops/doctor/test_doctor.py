"""The doctor: what matters, what is ignored and what stops a command, of variables, files, machine and account."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ops import child_environment
from ops.doctor import account, files, machine, variables
from ops.errors import OperatorError
from tests.environments import with_clients
from tests.ops.test_child_environment import CHANGE_MEANING


def effects(found) -> dict[str, str]:
    return {finding.name: finding.effect for finding in found}


# ---- variables ----

LOADED = {"LD_PRELOAD", "DYLD_INSERT_LIBRARIES"}


def test_every_variable_that_could_change_a_command_is_named_as_ignored():
    shell = dict.fromkeys(CHANGE_MEANING, "1")
    named = effects(variables.examine(shell, own_aws=True))
    assert {name: named.get(name) for name in CHANGE_MEANING if name not in LOADED} == dict.fromkeys(
        set(CHANGE_MEANING) - LOADED, "ignored"
    )
    assert {named[name] for name in LOADED} == {"matters"}


def test_what_is_named_as_ignored_passes_to_no_child():
    names = [name for group in child_environment.GROUPS for name in group.shown if "*" not in name]
    shell = dict.fromkeys([*CHANGE_MEANING, *names], "1") | {"TMPDIR": "/tmp"}
    ignored = {
        name
        for name, effect in effects(variables.examine(shell, own_aws=True)).items()
        if effect == "ignored"
    }
    for purpose in child_environment.PASSED:
        assert set(child_environment.passed(purpose, shell)) & ignored == set()


@pytest.mark.parametrize(
    ("name", "on_aws", "own_aws"),
    [
        ("AWS_PROFILE", "matters", "ignored"),
        ("AWS_ENDPOINT_URL", "matters", "ignored"),
        ("AWS_ENDPOINT_URL_S3", "matters", "ignored"),
        ("AWS_USE_FIPS_ENDPOINT", "matters", "ignored"),
        ("AWS_MAX_ATTEMPTS", "ignored", "ignored"),
        ("AWS_REGION", "ignored", "ignored"),
        ("HTTPS_PROXY", "matters", "matters"),
        ("all_proxy", "matters", "matters"),
        ("CUDA_VISIBLE_DEVICES", "matters", "matters"),
        ("INV_WORK", "matters", "matters"),
        ("EDITOR", None, None),
    ],
)
def test_the_effect_of_a_variable_depends_on_the_environment(name, on_aws, own_aws):
    shell = {"HOME": "/home/me", name: "1"}
    assert effects(variables.examine(shell, own_aws=False)).get(name) == on_aws
    assert effects(variables.examine(shell, own_aws=True)).get(name) == own_aws


@pytest.mark.parametrize(
    ("shell", "name"),
    [
        ({"AWS_CA_BUNDLE": "/nowhere/ca.pem"}, "AWS_CA_BUNDLE"),
        ({"SSL_CERT_FILE": "/nowhere/ca.pem"}, "SSL_CERT_FILE"),
        ({"EMBEDDED_AWS_PORT": "http"}, "EMBEDDED_AWS_PORT"),
        ({"AWS_ACCESS_KEY_ID": "mine"}, "AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_variable_that_will_stop_a_command_comes_with_its_remedy(shell, name):
    found = next(f for f in variables.examine(shell, own_aws=False) if f.name == name)
    assert found.effect == "stops" and found.advice


def test_values_are_not_shown():
    shell = {
        "AWS_SECRET_ACCESS_KEY": "secret",
        "HTTPS_PROXY": "http://me:secret@proxy",
        "TF_TOKEN_x": "secret",
    }
    assert "secret" not in repr(variables.examine(shell, own_aws=False))


def test_home_temporary_folder_and_locale_are_examined(tmp_path):
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    assert effects(variables.examine({"TMPDIR": "/nowhere", "LC_ALL": "C"}, own_aws=True)) == {
        "HOME": "ok",
        "TMPDIR": "ignored",
        "LC_ALL": "ok",
    }
    assert effects(variables.examine({"HOME": "/", "TMPDIR": str(deep)}, own_aws=True)) == {
        "TMPDIR": "matters"
    }


# ---- files ----


def write(home: Path, name: str, text: str = "") -> None:
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(text)


def test_files_of_other_tools_are_named_as_ignored(tmp_path):
    for name in (".checkov.yaml", ".terraformrc", ".invoke.yaml", ".aws/models/s3"):
        write(tmp_path, name)
    assert effects(files.examine(tmp_path, {}, own_aws=True)) == {
        "~/.aws/models": "ignored",
        "~/.checkov.yaml": "ignored",
        "~/.invoke.yaml": "ignored",
        "~/.terraformrc": "ignored",
    }


def test_files_of_aws_matter_only_on_aws(tmp_path):
    write(
        tmp_path,
        ".aws/config",
        "[profile a]\nuse_fips_endpoint = true\nmfa_serial = arn\nregion = x\n[default]\nx = 1\n",
    )
    assert effects(files.examine(tmp_path, {}, own_aws=True)) == {"config": "ignored"}
    assert effects(files.examine(tmp_path, {"AWS_PROFILE": "a"}, own_aws=False)) == {
        "use_fips_endpoint of profile a": "matters",
        "mfa_serial of profile a": "matters",
    }
    assert files.examine(tmp_path, {}, own_aws=False) == []


@pytest.mark.parametrize(
    ("text", "shell", "reason"),
    [
        ("[profile a]\nregion = x\n", {"AWS_PROFILE": "b"}, "it is not in"),
        ("[default]\nca_bundle = /nowhere/ca.pem\n", {}, "/nowhere/ca.pem does not exist"),
        ("region = x\n", {}, "cannot be read"),
    ],
)
def test_a_file_that_will_stop_a_command_comes_with_its_remedy(tmp_path, text, shell, reason):
    write(tmp_path, ".aws/config", text)
    (found,) = [f for f in files.examine(tmp_path, shell, own_aws=False) if f.effect == "stops"]
    assert reason in found.reason and found.advice


# ---- machine ----


def test_a_full_disk_and_a_missing_terraform_stop_commands(monkeypatch):
    def missing():
        raise OperatorError("Terraform is not installed: install Terraform 1.11.")

    monkeypatch.setattr(machine.binary, "version", missing)
    found = {f.name: f for f in machine.examine(lambda folder: 10 << 20)}
    assert (found["disk"].effect, found["disk"].seen) == ("stops", "0.0 GiB free")
    terraform = found["Terraform"]
    assert (terraform.effect, terraform.reason, terraform.advice) == (
        "stops",
        "Terraform is not installed",
        "install Terraform 1.11",
    )
    assert effects(machine.examine(lambda folder: 2 << 30))["disk"] == "matters"
    assert effects(machine.examine(lambda folder: 9 << 30))["disk"] == "ok"


def test_a_mirror_without_the_provider_stops_commands(monkeypatch, tmp_path):
    machine.providers.cli_config.cache_clear()
    monkeypatch.setenv("TF_PLUGIN_DIR", str(tmp_path))
    found = next(f for f in machine.examine() if f.name == "Terraform provider")
    machine.providers.cli_config.cache_clear()
    assert found.effect == "stops" and "TF_PLUGIN_DIR" in found.reason


def test_a_work_folder_that_cannot_be_written_stops_commands(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "WORK", tmp_path / "file" / "work")
    (tmp_path / "file").touch()
    assert effects(machine.examine())["work folder"] == "stops"


# ---- account ----


def test_the_account_answers_and_the_clocks_agree(moto_aws, dev):
    assert effects(account.examine(lambda: dev)) == {"AWS": "ok", "clock": "ok"}


@pytest.mark.parametrize(("skew", "effect"), [(0, "ok"), (200, "ok"), (400, "stops"), (-400, "stops")])
def test_a_clock_that_differs_too_much_stops_commands(dev, skew, effect):
    class Sts:
        def get_caller_identity(self):
            headers = {"date": "Tue, 01 Dec 2026 00:00:00 GMT"}
            return {"Arn": "arn:me", "ResponseMetadata": {"HTTPHeaders": headers}}

    begin = time.mktime((2026, 12, 1, 0, 0, 0, 0, 0, 0)) - time.timezone
    found = account.examine(lambda: with_clients(dev, sts=Sts()), begin + skew)
    assert effects(found)["clock"] == effect


def test_missing_credentials_stop_commands(monkeypatch):
    from ops import settings
    from ops.environment import Environment

    (found,) = account.examine(lambda: Environment(settings.load("dev")))
    assert found.effect == "stops" and "No AWS credentials" in found.reason and "sign in" in found.advice
