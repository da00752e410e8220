"""The tasks of the workbench as they are typed: a URL alone on standard output, refusals before anything is made."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from cli import workbench as tasks
from cli.program import Inv
from ops import console
from ops import outputs as handover
from ops import settings as environments
from pipeline.workbench import workbench

URL = "https://d-1.studio.us-east-1.sagemaker.aws/auth?token=x"
FOUND = {"name": "image-classifier-dev-workbench", "kind": "studio", "instance_type": "ml.t3.medium"}


@pytest.fixture
def done(monkeypatch):
    """What the tasks have asked for, in order. private: whether the foundation has a network."""
    asked = SimpleNamespace(calls=[], private=False, changes=["module.workbench[0].x"], there=None)
    made = SimpleNamespace(bucket="b", kms_key_arn="k", tuning_role_arn="r")

    def foundation(settings):
        made.network = object() if asked.private else None
        return made

    def up(settings, wanted, uri, progress):
        asked.calls.append(("up", wanted.kind, wanted.instance_type, wanted.internet, uri))
        return asked.changes

    def upload(settings, wanted, *place):
        asked.calls.append(("upload", *place[:3]))
        return "s3://b/code/1/repository.tar.gz"

    monkeypatch.setattr(tasks, "environment", environments.load)
    monkeypatch.setattr(handover, "foundation", foundation)
    monkeypatch.setattr(workbench, "up", up)
    monkeypatch.setattr(workbench, "upload_repository", upload)
    monkeypatch.setattr(workbench, "repository_there", lambda settings, wanted: asked.there)
    monkeypatch.setattr(workbench, "handed_over", lambda settings: FOUND)
    monkeypatch.setattr(workbench, "state", lambda settings, there: "asleep")
    monkeypatch.setattr(workbench, "open_url", lambda settings, progress: URL)
    monkeypatch.setattr(workbench, "remove", lambda settings, progress: [])
    return asked


@pytest.fixture
def inv(capsys):
    """Runs a task's words in this process; gives exit code, standard output and standard error."""
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


def test_the_url_is_alone_on_standard_output(inv, done):
    code, out, told = inv("open")
    assert (code, out) == (0, f"{URL}\n")
    assert "for 5 minutes from now" in told
    code, out, _ = inv("open", "--json")
    assert (code, json.loads(out)) == (0, {"url": URL, "valid_seconds": 300})


def test_without_a_private_network_nothing_is_uploaded_or_made(inv, done):
    code, out, told = inv("up")
    assert (code, out, done.calls) == (1, "", [])
    assert "run ./inv workbench.up --env dev --internet, or set vpc = true" in " ".join(told.split())


@pytest.mark.parametrize("private", [True, False])
def test_what_was_made_and_what_to_type_next_is_told(inv, done, private):
    done.private = private
    code, out, told = inv("up", "--json", *([] if private else ["--internet"]))
    assert code == 0, told
    uri = "s3://b/code/1/repository.tar.gz"
    assert done.calls == [("upload", "b", "k", "r"), ("up", "studio", "ml.t3.medium", not private, uri)]
    assert json.loads(out) == {
        **FOUND,
        "state": "asleep",
        "repository": uri,
        "changes": ["module.workbench[0].x"],
    }
    assert (
        "SageMaker Studio image-classifier-dev-workbench on ml.t3.medium, asleep; 1 resources changed" in told
    )
    assert "Next: ./inv workbench.open --env dev; ./inv workbench.down --env dev removes it" in told
    done.changes = []
    assert "asleep; unchanged" in inv("up", "--internet")[2]


def test_a_repository_that_is_there_is_not_uploaded_again(inv, done):
    done.there = "s3://b/code/0/repository.tar.gz"
    code, out, told = inv("up", "--internet", "--json")
    assert (code, done.calls) == (0, [("up", "studio", "ml.t3.medium", True, done.there)])
    assert "which is there already" in told and "what is there is not overwritten" in " ".join(told.split())
    assert json.loads(out)["repository"] == done.there


def test_where_there_is_none_down_does_nothing(inv, done):
    code, out, told = inv("down", "--json")
    assert (code, json.loads(out)) == (0, {"removed": []})
    assert "there is none" in told
