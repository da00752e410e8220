"""For tests of notebook instances and Studio: roles, waiting, a browser for JupyterLab."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websocket import create_connection

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
SECONDS = 60.0  # time limit for JupyterLab's start on a busy machine


def role(aws: Any, name: str, *actions: str) -> str:
    """Create a role that SageMaker can assume, and that can write logs. Return its ARN.

    actions: further permissions.
    """
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    allow = {"Effect": "Allow", "Action": [*LOGS, *actions], "Resource": "*"}
    iam = aws.client("iam")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_policy(allow))
    return made


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def script(text: str) -> list[dict[str, str]]:
    """Return a lifecycle hook."""
    return [{"Content": encoded(text)}]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def stable(sagemaker: Any, name: str, until: Callable[..., Any]) -> dict[str, Any]:
    """Wait until a notebook instance's status is final. Return its description."""

    def found() -> dict[str, Any] | None:
        described = sagemaker.describe_notebook_instance(NotebookInstanceName=name)
        changing = described["NotebookInstanceStatus"] in ("Pending", "Stopping", "Updating", "Deleting")
        return None if changing else described

    return until(found, SECONDS)


def lines(aws: Any, group: str, stream: str) -> list[str]:
    """Return the lines of a log stream; none if it does not exist."""
    logs = aws.client("logs")
    try:
        return [e["message"] for e in logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def get(url: str, **headers: str) -> tuple[int, str, str]:
    """Return status, final URL and text."""
    try:
        with _OPENER.open(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status, answer.url, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, url, error.read().decode()


class Browser:
    """Opens a presigned URL, and uses the JupyterLab that it redirects to."""

    def __init__(self, presigned_url: str) -> None:
        self.status, address, self.page = get(presigned_url)
        parts = urlsplit(address)
        self.server = parts.netloc
        self.token = parse_qs(parts.query).get("token", [""])[0]

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return Jupyter's response to an API request."""
        request = urllib.request.Request(
            f"http://{self.server}/api/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
            data=None if body is None else json.dumps(body).encode(),
        )
        with _OPENER.open(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def run(self, code: str, kernel: str = "python3") -> str:
        """Run a cell in a new kernel. Return its output. Fails if the cell fails."""
        identity = self.ask("POST", "kernels", {"name": kernel})["id"]
        socket = create_connection(
            f"ws://{self.server}/api/kernels/{identity}/channels?token={self.token}", timeout=60
        )
        try:
            header = {
                "msg_id": uuid.uuid4().hex,
                "msg_type": "execute_request",
                "username": "",
                "session": uuid.uuid4().hex,
                "version": "5.3",
            }
            content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
            message = {
                "header": header,
                "parent_header": {},
                "metadata": {},
                "content": content,
                "channel": "shell",
            }
            socket.send(json.dumps(message))
            printed = ""
            while True:
                answer = json.loads(socket.recv())
                if answer["parent_header"].get("msg_id") != header["msg_id"]:
                    continue
                if answer["msg_type"] == "stream":
                    printed += answer["content"]["text"]
                assert answer["msg_type"] != "error", answer["content"]
                if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
                    return printed
        finally:
            socket.close()
            self.ask("DELETE", f"kernels/{identity}")


def command_lines() -> str:
    """Return the command lines of all processes."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            found.append((process / "cmdline").read_bytes().decode(errors="replace"))
    return "\n".join(found)


def processes(name: str) -> list[int]:
    """Return the processes of a notebook instance or application. name: of its machine."""
    marker, found = f"EMBEDDED_AWS_INSTANCE={name}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (process / "environ").read_bytes().split(b"\0") and process.name != str(os.getpid()):
                found.append(int(process.name))
        except OSError:
            continue  # it has ended, or belongs to another user
    return found
