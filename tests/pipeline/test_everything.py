"""The whole pipeline: the order of the stages, their outcomes, and the summary."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from ml.jobs import compatibility, registry
from ml.jobs.registry import Version
from ops import console, live_endpoint
from ops.console import Step
from ops.errors import OperatorError, Refused
from ops.live_endpoint import LiveEndpoint
from pipeline import data, deploy, everything, foundation, predict, preflight, train, tune

STAGES = ["foundation", "data", "quotas", "tune", "train", "deploy", "predict"]


@pytest.fixture
def called(monkeypatch):
    """Replace the stages. Returns their calls, name and positional arguments after the environment; and what they do:
    by name, an error to raise or a reason to be degraded for."""
    calls, does, recorded = [], {}, []

    def stage(name, result):
        def run(env, *arguments, stages=None, **named):
            calls.append((name, *(argument for argument in arguments if not isinstance(argument, list))))
            with Step(name, stages if stages is not None else arguments[-1]) as step:
                if isinstance(does.get(name), Exception):
                    raise does[name]
                for reason in (does.get(name), named.get("degraded")):
                    if reason:
                        step.degrade(reason)
            return result

        return run

    trained = {"model_version": 7, "approved": True, "reason": ""}
    monkeypatch.setattr(foundation, "apply", stage("foundation", []))
    monkeypatch.setattr(data, "run", stage("data", {}))
    monkeypatch.setattr(tune, "run", stage("tune", {}))
    monkeypatch.setattr(train, "run", stage("train", trained))
    monkeypatch.setattr(deploy, "run", stage("deploy", deployed := {"function": "inference"}))
    monkeypatch.setattr(predict, "accuracy", stage("predict", {}))
    monkeypatch.setattr(
        preflight, "check_everything", lambda env, command, show: calls.append(("quotas", command))
    )
    monkeypatch.setattr(everything.stage_times, "record", lambda env, stages: recorded.extend(stages))
    monkeypatch.setattr(everything, "time", SimpleNamespace(monotonic=lambda: 130.0))
    console.console.cache_clear()
    yield SimpleNamespace(calls=calls, does=does, trained=trained, deployed=deployed, recorded=recorded)
    console.console.cache_clear()


@pytest.fixture
def registered(monkeypatch, manifest):
    """Return a function that registers approved versions, each with its data set."""

    def there(**datasets: str) -> None:
        lineage = compatibility.lineage(manifest)
        found = [
            Version(int(name[1:]), f"arn/{name}", "Approved", None, {"dataset": dataset})
            if dataset != manifest.dataset
            else Version(int(name[1:]), f"arn/{name}", "Approved", None, lineage)
            for name, dataset in datasets.items()
        ]
        monkeypatch.setattr(registry, "versions", lambda env: sorted(found, key=lambda v: -v.number))

    return there


def outcomes(result: dict) -> dict[str, str]:
    return {stage["name"]: str(stage["outcome"]) for stage in result["stages"]}


def test_stages_run_in_order_and_deploy_the_model_of_this_run(called, account, dev, capsys):
    results = everything.run(dev, "dogs", True, began=100.0)
    assert called.calls == [
        ("foundation",),
        ("data", "dogs", True),
        ("quotas", "./inv up --env dev"),  # after the data, which decide what has to be trained again
        ("tune",),
        ("train",),
        ("deploy", 7),
        ("predict",),
    ]
    assert results["seconds"] == 30.0  # from the start of the task, with the start of the embedded AWS
    assert (results["outcome"], results["reason"]) == ("done", "")
    assert outcomes(results) == dict.fromkeys(STAGES, "done")
    assert [stage.name for stage in called.recorded] == STAGES
    printed = capsys.readouterr().err
    assert "total" in printed and "./inv status --env dev" in printed


def test_a_new_environment_without_the_quotas_gets_nothing_that_costs(called, moto_aws, dev, monkeypatch):
    def refuse(env, command, show):
        raise Refused("too small")

    monkeypatch.setattr(preflight, "check_everything", refuse)
    result = everything.run(dev, began=0.0)
    assert (result["outcome"], result["reason"]) == ("refused", "too small")
    assert called.calls == []


def test_a_setting_that_cannot_work_is_refused_before_the_first_stage(called, account, dev):
    serving = dev.settings.serving.model_copy(update={"instance_type": "ml.m5.lrge"})
    dev.settings = dev.settings.model_copy(update={"serving": serving})
    result = everything.run(dev, began=0.0)
    assert result["outcome"] == "refused" and "did you mean ml.m5.large" in result["reason"]
    assert called.calls == []


@pytest.mark.parametrize(
    ("status", "outcome"), [("InService", "refused"), ("Failed", "done"), (None, "done")]
)
def test_hosting_that_sagemaker_cannot_change_to_is_refused_unless_the_endpoint_is_created_again(
    called, account, dev, serving, monkeypatch, status, outcome
):
    account.publish("serving/image-classifier-dev", {**serving.model_dump(), "hosting": "asynchronous"})
    live = LiveEndpoint("image-classifier-dev", status) if status else None
    monkeypatch.setattr(live_endpoint, "find", lambda env, name: live)
    result = everything.run(dev, began=0.0)
    assert result["outcome"] == outcome
    assert bool(called.calls) == (outcome == "done")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "/nowhere/dogs"}, "Source '/nowhere/dogs' does not exist"),
        ({"split": "seventy/thirty"}, "--split seventy/thirty"),
    ],
)
def test_a_wrong_option_is_refused_before_the_first_stage(called, account, dev, options, message):
    result = everything.run(dev, began=0.0, **options)
    assert result["outcome"] == "refused" and message in result["reason"]
    assert called.calls == []


@pytest.mark.parametrize("name", [name for name in STAGES if name != "quotas"])
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Refused("no"), "refused"),
        (OperatorError("it broke"), "failed"),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "it broke"}}, "Get"), "failed"),
    ],
    ids=["refused", "failed", "failed by AWS"],
)
def test_after_a_stage_that_is_refused_or_fails_no_other_is_run(
    called, account, dev, capsys, name, error, outcome
):
    called.does[name] = error
    result = everything.run(dev, began=0.0)
    assert result["outcome"] == outcome and ("no" in result["reason"] or "it broke" in result["reason"])
    ended = STAGES.index(name)
    assert list(outcomes(result)) == STAGES
    assert list(outcomes(result).values()) == [
        *["done"] * ended,
        outcome,
        *["not run"] * (len(STAGES) - ended - 1),
    ]
    assert called.calls[-1][0] == name
    past = "was refused" if outcome == "refused" else "failed"
    assert {stage["reason"] for stage in result["stages"][ended + 1 :]} <= {f"{name} {past}"}
    printed = capsys.readouterr().err
    assert ("not run" in printed) == (name != "predict") and "Next:" not in printed


def test_an_asynchronous_endpoint_has_no_function_to_measure_it_through(called, account, dev):
    called.deployed["function"] = None
    result = everything.run(dev, began=0.0)
    assert (result["outcome"], outcomes(result)["predict"]) == ("done", "not run")
    assert "predict" not in [call[0] for call in called.calls]


def test_a_degraded_stage_degrades_the_run_and_does_not_end_it(called, account, dev, capsys):
    called.does |= {"tune": "one trial failed", "predict": "half are wrong"}
    result = everything.run(dev, began=0.0)
    assert (result["outcome"], result["reason"]) == (
        "degraded",
        "tune: one trial failed; predict: half are wrong",
    )
    assert outcomes(result)["deploy"] == "done"
    assert "one trial failed" in capsys.readouterr().err


@pytest.mark.parametrize("others", [{}, {"v1": "digits", "v3": "digits"}], ids=["first", "others"])
def test_a_model_below_the_minimum_accuracy_does_not_bring_back_a_model_of_other_data(
    called, account, dev, registered, others
):
    registered(**others)
    called.trained |= {"approved": False, "reason": "version 7 waits for approval: its test accuracy is 0.3"}
    result = everything.run(dev, began=0.0)
    assert "deploy" not in [call[0] for call in called.calls]
    assert (outcomes(result)["deploy"], outcomes(result)["predict"]) == ("refused", "not run")
    assert result["outcome"] == "refused"
    assert "No approved model was trained on the current data set sample" in result["reason"]
    assert "version 7 waits for approval: its test accuracy is 0.3" in result["reason"]


def test_a_model_below_the_minimum_accuracy_leaves_an_older_one_of_the_same_data(
    called, account, dev, registered
):
    registered(v1="sample", v2="sample", v3="digits")
    called.trained |= {"approved": False, "reason": "version 7 waits"}
    result = everything.run(dev, began=0.0)
    assert ("deploy", 2) in called.calls
    assert result["outcome"] == "degraded"
    assert "version 2, of the same data set, is deployed instead of version 7" in result["reason"]
