"""AWS sessions: MFA is asked for once, profiles of every kind work, and children get credentials that stay valid."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest
from botocore.credentials import ContainerProvider
from botocore.exceptions import NoCredentialsError
from moto import mock_aws

from ops import sessions
from ops.errors import OperatorError

ROLE = "arn:aws:iam::123456789012:role/admin"
MFA_PROFILE = f"""
[profile mfa]
role_arn = {ROLE}
mfa_serial = arn:aws:iam::123456789012:mfa/me
source_profile = base

[profile base]
aws_access_key_id = mine
aws_secret_access_key = s
"""


@pytest.fixture
def aws():
    """An AWS account inside this process; the credentials are those of the test."""
    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The home folder of an operator, whose ~/.aws/config a test may write."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws" / "config"))
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.fixture
def configure(home, monkeypatch):
    """Return a function that writes ~/.aws/config and selects a profile."""

    def write(text: str, profile: str = "default") -> None:
        (home / ".aws" / "config").write_text(text)
        monkeypatch.setenv("AWS_PROFILE", profile)

    return write


@pytest.fixture
def prompts(monkeypatch) -> list[str]:
    """The prompts for codes, each answered with 123456."""
    asked: list[str] = []
    monkeypatch.setattr(sessions.getpass, "getpass", lambda prompt: asked.append(prompt) or "123456")
    return asked


def keys_of(variables: dict[str, str]) -> dict:
    """Return what the credential server of some variables answers."""
    token = variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    request = urllib.request.Request(
        variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": token}
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


# ---- MFA ----


def test_a_code_is_asked_for_once_in_a_command_and_in_the_next(aws, configure, prompts, home):
    configure(MFA_PROFILE, "mfa")
    session = sessions.new("us-east-1")
    sessions.sign_in(session)
    me = session.client("sts").get_caller_identity()["Arn"]
    variables = sessions.child_variables(session, "us-east-1")
    assert ":assumed-role/admin/" in me
    assert keys_of(variables)["AccessKeyId"] == session.get_credentials().access_key
    assert prompts == ["Enter MFA code for arn:aws:iam::123456789012:mfa/me: "]
    after = sessions.new("us-east-1")
    sessions.sign_in(after)
    assert after.get_credentials().access_key == session.get_credentials().access_key
    assert len(prompts) == 1
    assert [path.suffix for path in (home / ".aws" / "cli" / "cache").iterdir()] == [".json"]


def test_without_a_terminal_the_code_is_asked_for_with_a_sentence(aws, configure, monkeypatch):
    configure(MFA_PROFILE, "mfa")

    def no_terminal(prompt):
        raise EOFError

    monkeypatch.setattr(sessions.getpass, "getpass", no_terminal)
    with pytest.raises(OperatorError, match=r"mfa/me\), and there is no terminal .*: run `aws sts"):
        sessions.sign_in(sessions.new("us-east-1"))


def test_a_home_folder_that_cannot_be_written_asks_again(aws, configure, prompts, home):
    configure(MFA_PROFILE, "mfa")
    (home / ".aws" / "cli").touch()  # not a folder
    for _ in range(2):
        sessions.sign_in(sessions.new("us-east-1"))
    assert len(prompts) == 2


# ---- other profiles ----


def test_a_chain_of_roles_works(aws, configure):
    configure(
        f"[profile two]\nrole_arn = {ROLE}-two\nsource_profile = one\n[profile one]\nrole_arn = {ROLE}-one\n"
        "source_profile = base\n[profile base]\naws_access_key_id = mine\naws_secret_access_key = s\n",
        "two",
    )
    session = sessions.new("us-east-1")
    assert ":assumed-role/admin-two/" in session.client("sts").get_caller_identity()["Arn"]


def test_a_credential_process_works_and_its_credentials_are_renewed(configure, tmp_path):
    program = tmp_path / "keys.py"
    program.write_text(
        "import datetime, json, pathlib\n"
        "count = pathlib.Path(__file__).with_suffix('.count'); count.open('a').write('x')\n"
        "n = len(count.read_text())\n"
        "end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1 if n == 1 else 3600)\n"
        "print(json.dumps(dict(Version=1, AccessKeyId=f'key{n}', SecretAccessKey='s', SessionToken='t',\n"
        "                      Expiration=end.isoformat())))\n"
    )
    configure(f"[default]\ncredential_process = {sys.executable} {program}\n")
    variables = sessions.child_variables(sessions.new("us-east-1"), "us-east-1")
    answer = keys_of(variables)
    assert answer["AccessKeyId"] == "key2"  # the first was about to expire
    assert datetime.fromisoformat(answer["Expiration"]) > datetime.now(timezone.utc) + timedelta(minutes=50)


def test_boto3_in_a_child_gets_the_credentials(aws, configure, prompts, monkeypatch):
    configure(MFA_PROFILE, "mfa")
    session = sessions.new("us-east-1")
    for name, value in sessions.child_variables(session, "us-east-1").items():
        monkeypatch.setenv(name, value)
    loaded = ContainerProvider().load()
    assert loaded.access_key == session.get_credentials().access_key


def test_keys_that_do_not_expire_are_variables():
    session = boto3.Session("mine", "s", region_name="us-east-1")
    variables = sessions.child_variables(session, "eu-west-1")
    assert (variables["AWS_ACCESS_KEY_ID"], variables["AWS_REGION"]) == ("mine", "eu-west-1")
    assert "AWS_SESSION_TOKEN" not in variables and "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in variables


def test_without_credentials_signing_in_is_refused():
    with pytest.raises(NoCredentialsError):
        sessions.sign_in(sessions.new("us-east-1"))


# ---- the credential server ----


def test_the_server_answers_only_who_has_the_token(aws, configure, prompts):
    configure(MFA_PROFILE, "mfa")
    variables = sessions.child_variables(sessions.new("us-east-1"), "us-east-1")
    for change in (
        {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "guessed"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] + "x"},
    ):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            keys_of(variables | change)


def test_a_session_has_one_server(aws, configure, prompts):
    configure(MFA_PROFILE, "mfa")
    session = sessions.new("us-east-1")
    first, second = (sessions.child_variables(session, "us-east-1") for _ in range(2))
    assert first == second
    assert len(prompts) == 1


# ---- configuration ----


def test_settings_and_endpoints_of_the_profile_reach_children(configure):
    configure(
        "[profile gov]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\nca_bundle = /etc/ca.pem\n"
        "services = private\nendpoint_url = https://all.example\n"
        "[services private]\ns3 =\n  endpoint_url = https://s3.example\n",
        "gov",
    )
    variables = sessions.child_variables(sessions.new(), "us-east-1")
    assert {
        name: value for name, value in variables.items() if name.startswith(("AWS_USE", "AWS_CA", "AWS_ENDP"))
    } == {
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_CA_BUNDLE": "/etc/ca.pem",
        "AWS_ENDPOINT_URL": "https://all.example",
        "AWS_ENDPOINT_URL_S3": "https://s3.example",
    }
    assert variables["AWS_CONFIG_FILE"] == variables["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert "AWS_PROFILE" not in variables


def test_endpoints_of_variables_take_precedence(configure, monkeypatch):
    configure(
        "[default]\nservices = private\n[services private]\ns3 =\n  endpoint_url = https://s3.example\n"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://all.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "https://lambda.example")
    variables = sessions.child_variables(sessions.new(), "us-east-1")
    assert variables["AWS_ENDPOINT_URL"] == "https://all.example"
    assert variables["AWS_ENDPOINT_URL_LAMBDA"] == "https://lambda.example"
    assert "AWS_ENDPOINT_URL_S3" not in variables


def test_ignored_endpoints_do_not_reach_children(configure, monkeypatch):
    configure("[default]\nignore_configured_endpoint_urls = true\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://all.example")
    assert "AWS_ENDPOINT_URL" not in sessions.child_variables(sessions.new(), "us-east-1")


def test_service_models_of_the_operator_are_not_used(home, monkeypatch):
    for folder in (home / ".aws" / "models", home / "more"):
        model = folder / "sts" / "2011-06-15"
        model.mkdir(parents=True)
        (model / "service-2.json").write_text("{}")
    monkeypatch.setenv("AWS_DATA_PATH", str(home / "more"))
    assert sessions.new("us-east-1").client("sts").meta.service_model.operation_names
