"""The whole pipeline: the order of the stages, and the summary."""

from types import SimpleNamespace

import pytest

from ops import console
from ops.console import Stage
from ops.errors import OperatorError
from pipeline import data, deploy, everything, foundation, predict, preflight, train, tune


@pytest.fixture
def called(monkeypatch):
    """Replace the stages. Returns their calls: name and positional arguments after the environment."""
    calls = []

    def stage(name, result):
        def run(env, *arguments, stages=None):
            calls.append((name, *(argument for argument in arguments if not isinstance(argument, list))))
            found = stages if stages is not None else arguments[-1]
            found.append(Stage(name))
            return result

        return run

    trained = {"model_version": 7, "approval": "Approved"}
    monkeypatch.setattr(foundation, "apply", stage("foundation", []))
    monkeypatch.setattr(data, "run", stage("data", {}))
    monkeypatch.setattr(tune, "run", stage("tune", {}))
    monkeypatch.setattr(train, "run", stage("train", trained))
    monkeypatch.setattr(deploy, "run", stage("deploy", {}))
    monkeypatch.setattr(predict, "accuracy", stage("predict", {}))
    monkeypatch.setattr(
        preflight, "check_everything", lambda env, command, show: calls.append(("quotas", command))
    )
    monkeypatch.setattr(everything, "time", SimpleNamespace(monotonic=lambda: 130.0))
    console.console.cache_clear()
    yield calls, trained
    console.console.cache_clear()


def test_stages_run_in_order_and_deploy_the_model_of_this_run(called, account, dev, capsys):
    calls, _ = called
    results = everything.run(dev, "dogs", True, began=100.0)
    assert calls == [
        ("foundation",),
        ("data", "dogs", True),
        ("quotas", "./inv up --env dev"),  # after the data, which decide what has to be trained again
        ("tune",),
        ("train",),
        ("deploy", 7),
        ("predict",),
    ]
    assert results["seconds"] == 30.0  # from the start of the task, with the start of the embedded AWS
    printed = capsys.readouterr().err
    assert "total" in printed and "./inv status --env dev" in printed


def test_a_new_environment_without_the_quotas_gets_nothing_that_costs(called, moto_aws, dev, monkeypatch):
    def refuse(env, command, show):
        raise OperatorError("too small")

    monkeypatch.setattr(preflight, "check_everything", refuse)
    with pytest.raises(OperatorError, match="too small"):
        everything.run(dev, began=0.0)
    assert called[0] == []


def test_a_model_below_the_minimum_accuracy_is_not_deployed(called, account, dev):
    calls, trained = called
    trained["approval"] = "PendingManualApproval"
    everything.run(dev, began=0.0)
    assert ("deploy", None) in calls  # the newest approved version instead
