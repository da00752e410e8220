"""The metadata service of an instance, without a server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.services.ec2.instance_metadata import InstanceMetadataService
from host_kit import new_host


@pytest.fixture
def host():
    return new_host()


@pytest.fixture
def ask(host):
    """Send a request to the host's metadata service. Returns (status, text)."""
    keys = {"AWS_ACCESS_KEY_ID": "ASIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    roles: list[str] = []

    def assume(role: str) -> dict[str, str]:
        roles.append(role)
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

    request.roles = roles
    yield request
    server.close()


TTL, TOKEN = "X_aws_ec2_metadata_token_ttl_seconds", "X_aws_ec2_metadata_token"


def test_metadata_needs_a_token_if_the_instance_requires_one(ask, host):
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


def test_metadata_describes_the_instance(ask, host):
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


def test_credentials_belong_to_the_role_of_the_profile(ask, host):
    host.metadata_options.http_tokens = "optional"
    path = "meta-data/iam/security-credentials"
    document = json.loads(ask(f"{path}/host")[1])
    assert (document["Code"], document["AccessKeyId"], document["Token"]) == ("Success", "ASIA", "t")
    assert json.loads(ask(f"{path}/host")[1]) == document
    assert ask.roles == ["arn:aws:iam::123456789012:role/host"]  # the credentials are cached for an hour
    assert ask(f"{path}/other")[0] == 404
    host.instance_profile.roles[0].arn = "arn:aws:iam::123456789012:role/forbidden"
    assert json.loads(ask(f"{path}/host")[1])["Code"] == "AssumeRoleUnauthorizedAccess"
    host.instance_profile = None
    assert ask(f"{path}/")[0] == 404
