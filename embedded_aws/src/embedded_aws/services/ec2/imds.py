"""The instance metadata service, version 2 (version 1 too where that is allowed), of EC2 instances and the like."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.trust import RoleNotAssumable

if TYPE_CHECKING:
    from embedded_aws.services.ec2.backend import EmbeddedInstance

LARGEST_TTL = 21_600
CREDENTIALS_SECONDS, RENEWED_AFTER = 6 * 3600, 3600
TTL_HEADER, TOKEN_HEADER = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"
MAC = "0a:00:00:00:00:01"

Assume = Callable[[str], dict[str, str]]
Tree = dict[str, Any]  # names to text, further trees, or functions that give the text, or None if absent


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class MetadataService(ThreadingHTTPServer):
    """Listens on a loopback port of one machine's own until `close`. The hop limit has no meaning here.

    Says what a subclass tells: `tree`, and whether the service is on and demands sessions.
    name: of the machine. assume: gives the credentials of a role by ARN; raises RoleNotAssumable.
    """

    daemon_threads = True

    def __init__(self, name: str, assume: Assume) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._assume = assume
        self._tokens: dict[str, float] = {}
        self._credentials: tuple[str, float, dict[str, str]] | None = None
        self._lock = threading.Lock()
        self.address = f"127.0.0.1:{self.server_address[1]}"
        # Every 0.05 s it looks whether `close` waits: a machine's end takes no longer for that.
        threading.Thread(target=self.serve_forever, args=(0.05,), name=f"imds {name}", daemon=True).start()

    @property
    def on(self) -> bool:
        """Whether it answers at all."""
        return True

    @property
    def sessions_only(self) -> bool:
        """Whether version 1 is refused."""
        return True

    def tree(self) -> Tree:
        """All below /latest."""
        raise NotImplementedError

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def token(self, seconds: int) -> str:
        """A new session token, good for so long."""
        now, token = time.monotonic(), secrets.token_urlsafe(42)
        with self._lock:
            self._tokens = {t: until for t, until in self._tokens.items() if until > now}
            self._tokens[token] = now + seconds
        return token

    def knows(self, token: str) -> bool:
        return self._tokens.get(token, 0.0) > time.monotonic()

    def find(self, path: str) -> str | None:
        """The text at a path below /latest; None if there is nothing."""
        found: Any = self.tree()
        for name in [part for part in path.split("/") if part]:
            if not isinstance(found, dict) or name not in found:
                return None
            found = found[name]
        if isinstance(found, dict):
            return "\n".join(name + "/" * isinstance(value, dict) for name, value in sorted(found.items()))
        return found() if callable(found) else found

    def credentials(self, arn: str) -> str:
        """Of a role, as the service hands them out, renewed every hour."""
        with self._lock:
            now = datetime.now(timezone.utc)
            if self._credentials is None or self._credentials[0] != arn or self._stale():
                try:
                    keys = self._assume(arn)
                except RoleNotAssumable:
                    message = (
                        "EC2 cannot assume the role. Please see documentation at https://docs.aws.amazon.com/"
                    )
                    failure = {"Code": "AssumeRoleUnauthorizedAccess", "Message": message}
                    return json.dumps({**failure, "LastUpdated": _iso(now)}, indent=2)
                document = {
                    "Code": "Success",
                    "LastUpdated": _iso(now),
                    "Type": "AWS-HMAC",
                    "AccessKeyId": keys["AWS_ACCESS_KEY_ID"],
                    "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
                    "Token": keys["AWS_SESSION_TOKEN"],
                    "Expiration": _iso(now + timedelta(seconds=CREDENTIALS_SECONDS)),
                }
                self._credentials = (arn, time.monotonic(), document)
            return json.dumps(self._credentials[2], indent=2)

    def _stale(self) -> bool:
        return self._credentials is None or time.monotonic() - self._credentials[1] > RENEWED_AFTER


class MetadataServer(MetadataService):
    """Of an EC2 instance, as its metadata options say."""

    def __init__(self, instance: EmbeddedInstance, assume: Assume) -> None:
        self.instance = instance
        super().__init__(instance.id, assume)

    @property
    def on(self) -> bool:
        return self.instance.metadata_options.http_endpoint != "disabled"

    @property
    def sessions_only(self) -> bool:
        return self.instance.metadata_options.http_tokens == "required"

    def tree(self) -> Tree:
        return {
            "meta-data": self._metadata(),
            "dynamic": {"instance-identity": {"document": json.dumps(self._identity(), indent=2)}},
            "user-data": self._user_data,
        }

    def _metadata(self) -> Tree:
        instance = self.instance
        tree: Tree = {
            "ami-id": instance.image_id,
            "ami-launch-index": str(instance.ami_launch_index),
            "hostname": instance.private_dns_name,
            "instance-action": "none",
            "instance-id": instance.id,
            "instance-life-cycle": instance.lifecycle or "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": instance.private_dns_name,
            "local-ipv4": instance.private_ip,
            "mac": MAC,
            "network": {"interfaces": {"macs": {MAC: self._interface()}}},
            "placement": {
                "availability-zone": instance.availability_zone,
                "region": instance.region_name,
            },
            "security-groups": "\n".join(group.name for group in instance.security_groups),
            "services": {"domain": "amazonaws.com", "partition": "aws"},
        }
        if profile := instance.profile():
            tree["iam"] = {
                "info": json.dumps(
                    {
                        "Code": "Success",
                        "LastUpdated": _iso(datetime.now(timezone.utc)),
                        "InstanceProfileArn": profile.arn,
                        "InstanceProfileId": profile.id,
                    }
                ),
                "security-credentials": {
                    role.name: lambda role=role: self.credentials(role.arn) for role in profile.roles[:1]
                },
            }
        if instance.metadata_options.instance_metadata_tags == "enabled":
            tree["tags"] = {"instance": {tag["key"]: tag["value"] for tag in instance.get_tags()}}
        if instance.interruption:
            notice = {"action": "terminate", "time": instance.interruption}
            tree["spot"] = {"instance-action": json.dumps(notice), "termination-time": instance.interruption}
        return tree

    def _interface(self) -> Tree:
        instance = self.instance
        return {
            "local-ipv4s": instance.private_ip,
            "subnet-id": instance.nics[0].subnet.id,
            "vpc-id": instance.vpc_id,
        }

    def _identity(self) -> dict[str, Any]:
        instance = self.instance
        return {
            "accountId": ACCOUNT_ID,
            "architecture": instance.architecture,
            "availabilityZone": instance.availability_zone,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "pendingTime": _iso(instance.launch_time),
            "privateIp": instance.private_ip,
            "region": instance.region_name,
            "version": "2017-09-30",
        }

    def _user_data(self) -> str | None:
        return self.instance.user_data.decode() if self.instance.user_data else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "EC2ws", ""
    disable_nagle_algorithm = True
    server: MetadataService

    def do_PUT(self) -> None:
        if self._refused():
            return
        if urlsplit(self.path).path.rstrip("/") != "/latest/api/token":
            return self._answer(HTTPStatus.NOT_FOUND)
        seconds = self.headers.get(TTL_HEADER, "")
        if not seconds.isdecimal() or not 1 <= int(seconds) <= LARGEST_TTL:
            return self._answer(HTTPStatus.BAD_REQUEST)
        self._answer(HTTPStatus.OK, self.server.token(int(seconds)), {TTL_HEADER: seconds})

    def do_GET(self) -> None:
        if self._refused():
            return
        token = self.headers.get(TOKEN_HEADER)
        if (token is None and self.server.sessions_only) or (
            token is not None and not self.server.knows(token)
        ):
            return self._answer(HTTPStatus.UNAUTHORIZED)
        path = unquote(urlsplit(self.path).path)
        if not path.startswith("/latest"):
            return self._answer(HTTPStatus.NOT_FOUND)
        found = self.server.find(path.removeprefix("/latest"))
        self._answer(HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK, found or "")

    do_HEAD = do_GET

    def _refused(self) -> bool:
        """The service may be off; a proxy's or a browser's request is nobody's on the instance."""
        off = not self.server.on
        foreign = {"X-Forwarded-For", "Origin"} & set(self.headers) or (
            self.headers.get("Host") not in (self.server.address, None)
        )
        if off or foreign:
            self._answer(HTTPStatus.FORBIDDEN)
        return bool(off or foreign)

    def _answer(self, status: HTTPStatus, text: str = "", headers: dict[str, str] | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")
        if length := int(self.headers.get("Content-Length") or 0):
            self.rfile.read(length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not worth a log line."""
