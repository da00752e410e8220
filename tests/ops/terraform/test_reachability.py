"""A Terraform whose AWS is gone is stopped; one whose AWS answers anything, or makes progress, is not."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from itertools import count

import boto3
import pytest

from embedded_aws import client
from ops.errors import Unfinished
from ops.paths import ROOT
from ops.terraform import reachability
from ops.terraform import stack as stack_module
from ops.terraform.stack import Stack
from tests.ops.terraform.fake_events import diagnostic

LONG = 60.0
TOPICS = 12  # two more than Terraform creates at a time
MAIN = f"""
terraform {{
  backend "s3" {{}}
  required_providers {{
    aws = {{ source = "hashicorp/aws" }}
  }}
}}
provider "aws" {{
  region = "us-east-1"
}}
resource "aws_sns_topic" "this" {{
  count = {TOPICS}
  name  = "topic-${{count.index}}"
}}
"""


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Let a second stand for a minute."""
    for name in ("PROBE_SECONDS", "UNREACHABLE_SECONDS", "SAVE_SECONDS"):
        monkeypatch.setattr(reachability, name, getattr(reachability, name) / 60)


# ---- the probe ----


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    """An AWS that answers every request with `.status`, or closes the connection if that is 0."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if status := self.server.status:  # type: ignore[attr-defined]
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def probe(monkeypatch, url: str) -> str:
    """Return what the probe of an endpoint finds, without credentials."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    return reachability.probe(boto3.Session(), "us-east-1")()


@pytest.mark.parametrize("status", [200, 400, 403, 404, 429, 500, 503])
def test_any_answer_is_a_connection(monkeypatch, server, status):
    server.status = status
    assert probe(monkeypatch, f"http://127.0.0.1:{server.server_port}") == ""


def test_a_closed_connection_is_none(monkeypatch, server):
    server.status = 0
    assert "closed" in probe(monkeypatch, f"http://127.0.0.1:{server.server_port}")


def test_a_refused_connection_is_none(monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # not listening
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert url in probe(monkeypatch, url)


def test_an_unknown_host_is_no_connection(monkeypatch):
    assert "nowhere.invalid" in probe(monkeypatch, "http://nowhere.invalid")


# ---- the watch ----


def watched(until, answers, steps) -> list[str]:
    """Watch until the answers have ended. Return what was done to Terraform."""
    did: list[str] = []
    left = iter(answers)

    def ask() -> str:
        return next(left, "gone")

    with reachability.Watch(
        ask, lambda: next(steps), lambda: did.append("interrupt"), lambda: did.append("kill")
    ) as watch:
        until(lambda: next(left, None) is None or did)
        if not answers:
            until(lambda: did == ["interrupt", "kill"])
    assert watch.reason == ("gone" if did else "")
    return did


def test_an_unreachable_aws_interrupts_once_and_then_kills(impatient, until):
    stuck = iter(lambda: 3, None)
    assert watched(until, [], stuck) == ["interrupt", "kill"]


@pytest.mark.parametrize(
    ("answers", "moving"),
    [([""] * 500, False), (["gone", "gone", ""] * 200, False), (["gone"] * 500, True)],
    ids=["it answers", "it answers now and then", "steps complete"],
)
def test_terraform_is_left_alone_while_aws_answers_or_steps_complete(until, monkeypatch, answers, moving):
    monkeypatch.setattr(reachability, "PROBE_SECONDS", 0.0005)
    monkeypatch.setattr(reachability, "UNREACHABLE_SECONDS", LONG if not moving else 0.0)
    assert watched(until, answers, count() if moving else iter(lambda: 3, None)) == []


# ---- the command ----


@pytest.fixture
def unreachable(monkeypatch, impatient) -> None:
    monkeypatch.setattr(reachability, "probe", lambda session, region: lambda: "connection refused")


def test_a_terraform_that_does_not_end_is_killed_with_its_provider(stack, fake_terraform, s3, unreachable):
    fake_terraform.does("plan", {"wait": "never", "provider": True})
    made = stack()
    with pytest.raises(Unfinished) as failed:
        made.plan()
    assert fake_terraform.signals == [signal.SIGINT]
    assert not os.path.exists(f"/proc/{(fake_terraform.home / 'provider').read_text()}")
    assert "Terraform was stopped during plan of foundation (connection refused)" in str(failed.value)
    assert str(failed.value).endswith("then run the same command again to resume.")
    assert "AWS cannot be reached: stopping Terraform" in made.texts
    assert not any(file.name.endswith("tflock") for file in s3.folder.iterdir())


def test_the_state_that_an_interrupted_terraform_left_is_named(stack, fake_terraform, unreachable, until):
    refused = diagnostic("creating role", "connection refused")
    step = {"wait": "signals", "writes": {"errored.tfstate": "{}"}, "lines": [refused], "rc": 1}
    fake_terraform.does("apply", step)
    made = stack()
    with pytest.raises(Unfinished, match=r"which has the state in .*errored\.tfstate"):
        made.commands.run("apply")


# ---- with Terraform, its provider and an AWS that is killed ----


@pytest.fixture
def topics(new_embedded_aws, tmp_path, monkeypatch):
    """A stack of topics, and its AWS, which is killed once the first topic exists."""
    aws = new_embedded_aws()
    for name, value in aws.credentials.items():
        monkeypatch.setenv(name, value)
    aws.client("s3").create_bucket(Bucket="topics")
    monkeypatch.setattr(stack_module, "ROOT", tmp_path / "repository")
    monkeypatch.setattr(stack_module, "WORK", tmp_path / "work")
    source = tmp_path / "repository" / "terraform" / "foundation"
    source.mkdir(parents=True)
    shutil.copy(ROOT / "terraform" / "foundation" / ".terraform.lock.hcl", source)
    (source / "main.tf").write_text(MAIN)
    killed: list[float] = []

    def progress(text: str, important: bool = False) -> None:
        if text.startswith("created") and not killed:
            os.kill(client.status(aws.home).pid, signal.SIGKILL)
            killed.append(time.monotonic())

    made = Stack(
        root="foundation", key="topics.tfstate", state_bucket="topics", region="us-east-1", progress=progress
    )
    return made, aws, killed


@pytest.mark.slow
def test_an_apply_ends_soon_after_aws_is_killed_and_the_next_one_resumes(topics, monkeypatch):
    monkeypatch.setattr(reachability, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(reachability, "UNREACHABLE_SECONDS", 2.0)
    monkeypatch.setattr(reachability, "SAVE_SECONDS", 2.0)
    stack, aws, killed = topics
    with pytest.raises(Unfinished, match=r"AWS has not been reachable .* during apply of foundation"):
        stack.up()
    assert time.monotonic() - killed[0] < 90
    aws.restart()
    # The lock could not be released. The next command takes it over from a process that has ended; this one runs.
    aws.client("s3").delete_object(Bucket="topics", Key="topics.tfstate.tflock")
    stack.up()
    assert len(aws.client("sns").list_topics()["Topics"]) == TOPICS
