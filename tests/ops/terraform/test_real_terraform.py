"""What the fake Terraform cannot show: the real one respects our lock, saves an errored state, keeps the repository clean."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from ops import sessions
from ops.terraform import binary
from ops.terraform import stack as stack_module
from ops.terraform.stack import Stack

pytestmark = pytest.mark.slow

BUCKET = "real-terraform"
KEY = "test/foundation.tfstate"
MAIN = 'terraform {\n  backend "s3" {}\n}\nresource "terraform_data" "word" {\n  input = "planned"\n}\n'


@pytest.fixture
def real(embedded_aws, tmp_path, monkeypatch) -> Stack:
    """A stack whose root needs no provider. Its progress texts are in `.texts`."""
    for name, value in embedded_aws.credentials.items():
        monkeypatch.setenv(name, value)
    embedded_aws.client("s3").create_bucket(Bucket=BUCKET)
    monkeypatch.setattr(stack_module, "ROOT", tmp_path / "repository")
    monkeypatch.setattr(stack_module, "WORK", tmp_path / "work")
    source = tmp_path / "repository" / "terraform" / "foundation"
    source.mkdir(parents=True)
    (source / ".terraform.lock.hcl").write_text("")
    (source / "main.tf").write_text(MAIN)
    texts: list[str] = []
    made = Stack(
        root="foundation",
        key=KEY,
        state_bucket=BUCKET,
        region="us-east-1",
        progress=lambda text, important=False: texts.append(text),
    )
    made.texts = texts
    return made


def plain_terraform(stack: Stack) -> subprocess.CompletedProcess[str]:
    """Run the plan of a colleague, who has no ./inv."""
    return subprocess.run(
        [binary.find(), "plan", "-no-color", "-input=false"],
        cwd=stack.configuration.folder,
        env={**os.environ, "TF_DATA_DIR": str(stack.work / "data")},
        capture_output=True,
        text=True,
    )


def test_real_terraform_respects_our_lock_and_saves_an_errored_state(real, embedded_aws):
    s3 = embedded_aws.client("s3")
    assert [change.address for change in real.up()] == ["terraform_data.word"]
    with real.locked():
        refused = plain_terraform(real)
    assert refused.returncode == 1
    assert "Error acquiring the state lock" in refused.stderr
    assert re.search(rf"Info:\s+.*\"process\":{os.getpid()},", refused.stderr)
    assert plain_terraform(real).returncode == 0

    saved = json.load(s3.get_object(Bucket=BUCKET, Key=KEY)["Body"])
    output = {"word": {"value": "created by the interrupted run", "type": "string"}}
    errored = {**saved, "serial": saved["serial"] + 1, "outputs": output}
    real.configuration.errored_state.write_text(json.dumps(errored))
    real.plan()
    assert "saving the state that an earlier run could not save (1 resources)" in real.texts
    now = json.load(s3.get_object(Bucket=BUCKET, Key=KEY)["Body"])
    assert now["outputs"] == output
    assert now["serial"] > saved["serial"]
    assert not real.configuration.errored_state.exists()

    root: Path = real.configuration.root
    assert {file.name for file in root.iterdir()} == {"main.tf", ".terraform.lock.hcl"}


def test_real_terraform_gets_the_credentials_of_a_role_that_needs_a_code(
    real, embedded_aws, monkeypatch, tmp_path
):
    iam = embedded_aws.client("iam")
    user = iam.create_user(UserName="needs-a-code")["User"]["Arn"]
    trust = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="needs-a-code", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.attach_role_policy(RoleName="needs-a-code", PolicyArn=administrator)
    iam.attach_user_policy(UserName="needs-a-code", PolicyArn=administrator)
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="needs-a-code")["VirtualMFADevice"][
        "SerialNumber"
    ]
    keys = iam.create_access_key(UserName="needs-a-code")["AccessKey"]
    (tmp_path / "config").write_text(
        f"[profile me]\nrole_arn = {role}\nmfa_serial = {device}\nsource_profile = base\n[profile base]\n"
        f"aws_access_key_id = {keys['AccessKeyId']}\naws_secret_access_key = {keys['SecretAccessKey']}\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name, value in {
        "HOME": tmp_path,
        "AWS_CONFIG_FILE": tmp_path / "config",
        "AWS_PROFILE": "me",
    }.items():
        monkeypatch.setenv(name, str(value))
    prompts: list[str] = []
    monkeypatch.setattr(sessions.getpass, "getpass", lambda prompt: prompts.append(prompt) or "123456")
    monkeypatch.setattr(real, "key", "code/foundation.tfstate")
    for changes in (["terraform_data.word"], []):  # two commands
        monkeypatch.setattr(real, "session", sessions.new("us-east-1"))
        assert [change.address for change in real.up()] == changes
    assert len(prompts) == 1
