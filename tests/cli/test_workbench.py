"""The tasks of the workbench: the URL on standard output, refusals before anything is created, progress."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from cli import workbench as tasks
from cli.program import Inv
from ml.jobs import repository
from ops import console
from pipeline.workbench import workbench
from tests.ops.test_outputs import WORKBENCH

URL = "https://d-1.studio.us-east-1.sagemaker.aws/auth?token=x"
URI = "s3://b/code/1/repository.tar.gz"
PRIVATE = {"subnet_ids": ["subnet-1"], "training_security_group_ids": ["sg-1"]}


@pytest.fixture
def fake(monkeypatch, account, dev):
    """The calls of the tasks in order, and the answers of a fake workbench. It exists once it was created."""
    found = SimpleNamespace(calls=[], changes=["module.workbench[0].x"], existing=None)

    def up(env, wanted, uri, progress):
        found.calls.append(("up", wanted.kind, wanted.instance_type, wanted.internet, uri))
        account.publish("workbench", WORKBENCH)
        return found.changes

    def upload(env, name, packages, progress):
        found.calls.append(("upload",))
        return URI

    monkeypatch.setattr(tasks, "connect", lambda name: dev)
    monkeypatch.setattr(workbench, "up", up)
    monkeypatch.setattr(repository, "upload", upload)
    monkeypatch.setattr(workbench, "existing_repository", lambda env, wanted: found.existing)
    monkeypatch.setattr(workbench, "state", lambda env, workbench: "stopped")
    monkeypatch.setattr(workbench, "open_url", lambda env, progress: URL)
    monkeypatch.setattr(workbench, "remove", lambda env, progress: [])
    return found


@pytest.fixture
def inv(capsys):
    """Return a function that runs a task, and returns exit code, standard output and standard error."""
    console.console.cache_clear()

    def run(*words: str) -> tuple[int, str, str]:
        program = Inv(name="inv", binary="inv", version="1", namespace=tasks.namespace)
        try:
            program.run(["inv", *words, "--env", "dev"], exit=True)
        except SystemExit as ended:
            return (ended.code or 0, *capsys.readouterr())
        return (0, *capsys.readouterr())

    yield run
    console.console.cache_clear()


def test_open_prints_only_the_url_on_standard_output(inv, fake):
    code, out, error = inv("open")
    assert (code, out) == (0, f"{URL}\n")
    assert "valid for 5 minutes" in error
    code, out, _ = inv("open", "--json")
    assert (code, json.loads(out)) == (0, {"url": URL, "valid_seconds": 300})


def test_without_a_private_network_nothing_is_uploaded_or_created(inv, fake):
    code, out, error = inv("up")
    assert (code, out, fake.calls) == (1, "", [])
    assert "run ./inv workbench.up --env dev --internet, or set vpc = true" in " ".join(error.split())


@pytest.mark.parametrize("private", [True, False])
def test_up_reports_the_workbench_and_the_next_commands(inv, fake, account, dev, foundation, private):
    if private:
        account.publish("foundation", {**foundation.model_dump(), "network": PRIVATE})
        dev.outputs.forget()
    code, out, error = inv("up", "--json", *([] if private else ["--internet"]))
    assert code == 0, error
    assert fake.calls == [("upload",), ("up", "studio", "ml.t3.medium", not private, URI)]
    assert json.loads(out) == {
        **WORKBENCH,
        "state": "stopped",
        "repository": URI,
        "changes": ["module.workbench[0].x"],
    }
    assert (
        "SageMaker Studio image-classifier-dev-workbench on ml.t3.medium, stopped; 1 resources changed"
        in error
    )
    assert "Next: ./inv workbench.open --env dev; ./inv workbench.down --env dev removes it" in error
    fake.changes = []
    assert "stopped; unchanged" in inv("up", "--internet")[2]


def test_up_does_not_upload_the_repository_of_an_existing_workbench(inv, fake):
    fake.existing = "s3://b/code/0/repository.tar.gz"
    code, out, error = inv("up", "--internet", "--json")
    assert (code, fake.calls) == (0, [("up", "studio", "ml.t3.medium", True, fake.existing)])
    text = " ".join(error.split())
    assert "which the workbench already has" in text and "existing files are not overwritten" in text
    assert json.loads(out)["repository"] == fake.existing


def test_up_reports_a_workbench_without_outputs(inv, fake, monkeypatch):
    monkeypatch.setattr(workbench, "up", lambda *_: [])
    code, _, error = inv("up", "--internet")
    assert code == 1
    assert "inv: Environment dev has no workbench: run ./inv workbench.up --env dev." in error


def test_down_without_a_workbench_does_nothing(inv, fake):
    code, out, error = inv("down", "--json")
    assert (code, json.loads(out)) == (0, {"removed": []})
    assert "there was none" in error
