"""Parts of EC2 instances by themselves: user data, the metadata service, instances without namespaces."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from datetime import datetime
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from types import SimpleNamespace

import pytest

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.ec2 import host as host_module
from embedded_aws.services.ec2 import init, machine, user_data
from embedded_aws.services.ec2.exceptions import InvalidUserData
from embedded_aws.services.ec2.instance_metadata import InstanceMetadataService
from embedded_aws.services.ec2.user_data import Script


def encoded(content: str | bytes) -> str:
    return base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()


def archive(*parts: tuple[str, str]) -> str:
    message = MIMEMultipart()
    for subtype, text in parts:
        message.attach(MIMEText(text, subtype))
    return message.as_string()


def test_scripts_of_user_data():
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
def test_user_data_for_the_rest_of_cloud_init_is_refused(content):
    with pytest.raises(NotImplementedError, match="use a script"):
        user_data.scripts(encoded(content))


@pytest.mark.parametrize("content", [b"#!/bin/sh\n" + b"#" * 16_384, b"\x1f\x8bnot gzip"])
def test_user_data_that_is_not_valid_is_refused(content):
    with pytest.raises(InvalidUserData):
        user_data.scripts(encoded(content))


class Host(SimpleNamespace):
    def profile(self):
        return self.instance_profile

    def get_tags(self):
        return [{"key": "Name", "value": "a host"}]


@pytest.fixture
def host():
    role = SimpleNamespace(name="host", arn="arn:aws:iam::123456789012:role/host")
    profile = SimpleNamespace(arn="arn:aws:iam::123456789012:instance-profile/p", id="AIPA", roles=[role])
    options = SimpleNamespace(
        http_tokens="required", http_endpoint="enabled", instance_metadata_tags="disabled"
    )
    nic = SimpleNamespace(subnet=SimpleNamespace(id="subnet-1"))
    return Host(
        id="i-1",
        image_id="ami-1",
        instance_type="t3.medium",
        availability_zone="eu-west-1a",
        region_name="eu-west-1",
        private_ip="10.0.0.1",
        private_dns_name="ip-10-0-0-1.internal",
        lifecycle=None,
        ami_launch_index=0,
        security_groups=[SimpleNamespace(name="default")],
        nics=[nic],
        vpc_id="vpc-1",
        architecture="x86_64",
        launch_time=datetime(2026, 1, 1),
        interruption="",
        metadata_options=options,
        instance_profile=profile,
        user_data=None,
    )


@pytest.fixture
def ask(host):
    """Asks the host's metadata service: (status, text)."""
    keys = {"AWS_ACCESS_KEY_ID": "ASIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    asked: list[str] = []

    def assume(role: str) -> dict[str, str]:
        asked.append(role)
        if "forbidden" in role:
            raise RoleNotAssumable
        return keys

    server = InstanceMetadataService(host, assume)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        wanted = urllib.request.Request(
            f"http://{server.address}/latest/{path}", headers=named, method=method
        )
        try:
            with opener.open(wanted) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    request.asked = asked
    yield request
    server.close()


TTL, TOKEN = "X_aws_ec2_metadata_token_ttl_seconds", "X_aws_ec2_metadata_token"


def test_metadata_needs_a_session_where_the_instance_requires_one(ask, host):
    assert ask("meta-data/instance-id")[0] == 401
    assert ask("meta-data/instance-id", **{TOKEN: "guessed"})[0] == 401
    assert ask("api/token", "PUT")[0] == 400
    assert ask("api/token", "PUT", **{TTL: "21601"})[0] == 400
    assert ask("api/token", "PUT", **{TTL: "60", "X_Forwarded_For": "10.0.0.2"})[0] == 403
    _, token = ask("api/token", "PUT", **{TTL: "60"})
    assert ask("meta-data/instance-id", **{TOKEN: token}) == (200, "i-1")
    assert ask("meta-data/instance-id", **{TOKEN: token, "Origin": "http://a.page"})[0] == 403
    host.metadata_options.http_tokens = "optional"
    assert ask("meta-data/instance-id") == (200, "i-1")
    assert ask("meta-data/instance-id", **{TOKEN: "guessed"})[0] == 401
    host.metadata_options.http_endpoint = "disabled"
    assert ask("meta-data/instance-id", **{TOKEN: token})[0] == 403


def test_metadata_tells_of_the_instance(ask, host):
    host.metadata_options.http_tokens = "optional"
    expected = {
        "ami-id": "ami-1",
        "instance-type": "t3.medium",
        "placement/availability-zone": "eu-west-1a",
        "placement/region": "eu-west-1",
        "local-ipv4": "10.0.0.1",
        "hostname": "ip-10-0-0-1.internal",
        "placement/": "availability-zone\nregion",
        "iam/security-credentials/": "host",
    }
    assert {path: ask(f"meta-data/{path}") for path in expected} == {k: (200, v) for k, v in expected.items()}
    assert json.loads(ask("dynamic/instance-identity/document")[1])["instanceId"] == "i-1"
    for absent in (
        "meta-data/tags/instance/Name",
        "meta-data/spot/instance-action",
        "user-data",
        "meta-data/no",
    ):
        assert ask(absent)[0] == 404
    host.metadata_options.instance_metadata_tags = "enabled"
    assert ask("meta-data/tags/instance/Name") == (200, "a host")
    host.interruption = "2026-01-01T00:02:00Z"
    assert json.loads(ask("meta-data/spot/instance-action")[1]) == {
        "action": "terminate",
        "time": "2026-01-01T00:02:00Z",
    }


def test_credentials_are_those_of_the_profiles_role(ask, host):
    host.metadata_options.http_tokens = "optional"
    path = "meta-data/iam/security-credentials"
    document = json.loads(ask(f"{path}/host")[1])
    assert (document["Code"], document["AccessKeyId"], document["Token"]) == ("Success", "ASIA", "t")
    assert json.loads(ask(f"{path}/host")[1]) == document
    assert ask.asked == ["arn:aws:iam::123456789012:role/host"]  # kept for an hour
    assert ask(f"{path}/other")[0] == 404
    host.instance_profile.roles[0].arn = "arn:aws:iam::123456789012:role/forbidden"
    assert json.loads(ask(f"{path}/host")[1])["Code"] == "AssumeRoleUnauthorizedAccess"
    host.instance_profile = None
    assert ask(f"{path}/")[0] == 404


class Boot:
    """A machine without namespaces, with its end to wait for."""

    def __init__(self, host, folder, script: str) -> None:
        self.supervisor, self.statuses = Supervisor(), []
        self._ended = threading.Event()
        folder.mkdir()
        self.machine = machine.Machine(host, folder, self.supervisor, "http://127.0.0.1:1", folder)
        self.machine.start([Script(f"#!/bin/bash\n{script}".encode())], lambda role: {}, self._end)

    def _end(self, ended: machine.Machine, status: int) -> None:
        self.statuses.append(status)
        self._ended.set()

    def wait(self) -> int:
        assert self._ended.wait(20)
        return self.statuses[0]

    @property
    def console(self) -> str:
        return self.machine.console.tail().decode()


@pytest.fixture
def boot(host, tmp_path, monkeypatch):
    monkeypatch.setattr(host_module, "namespaces", lambda supervisor: ())
    booted: list[Boot] = []

    def start(script: str) -> Boot:
        booted.append(Boot(host, tmp_path / str(len(booted)), script))
        return booted[-1]

    yield start
    for each in booted:
        each.machine.end()


def test_without_namespaces_it_still_has_folders_of_its_own(boot, tmp_path):
    booted = boot(
        'echo "$HOME $TMPDIR"; logger -t me hello; yum install -y x; sudo -u nobody echo as me; poweroff'
    )
    assert booted.wait() == 0
    disk = tmp_path / "0/disk"
    assert f"{disk}/root {disk}/tmp" in booted.console
    assert "without namespaces" in booted.console and "me: hello" in booted.console
    assert "yum install -y x: skipped" in booted.console and "as me" in booted.console


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("shutdown -h now", 0),
        ("halt", 0),
        ("systemctl --no-block poweroff", 0),
        ("init 0", 0),
        ("shutdown -r now", init.REBOOT),
        ("sudo reboot", init.REBOOT),
    ],
)
def test_power_commands(boot, command, status):
    assert boot(f"{command}; sleep 30").wait() == status


def test_shutdown_can_wait_and_be_cancelled(boot, until):
    booted = boot("shutdown -h +5; shutdown -c; echo cancelled; shutdown now")
    assert booted.wait() == 0
    assert "poweroff in 300 s" in booted.console and "cancelled" in booted.console


ESCAPE = "setsid sleep 3605 & (env -i setsid sleep 3606 &); echo ready; sleep 3607"


def left() -> set[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return {
        line for line in listed.splitlines() if line.startswith(("sleep 3605", "sleep 3606", "sleep 3607"))
    }


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_without_namespaces_no_process_outlives_it(boot, until):
    booted = boot(f"trap '' TERM; {ESCAPE}")
    until(lambda: "ready" in booted.console and len(left()) == 3)
    booted.machine.end()
    assert not left()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_without_namespaces_no_process_outlives_a_kill_of_its_parent(boot, until):
    booted = boot(ESCAPE)
    until(lambda: "ready" in booted.console and len(left()) == 3)
    os.killpg(booted.machine._child.pid, signal.SIGKILL)  # as the guardian does
    until(lambda: not left())


def test_a_first_process_that_is_only_starting_is_asked_again():
    code = (
        "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(0.3); "
        "signal.signal(15, lambda *_: sys.exit(0)); time.sleep(60)"
    )
    command = [sys.executable, "-S", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout
        child.stdout.readline()
        machine.Machine._terminate(child)
        assert child.returncode == 0
