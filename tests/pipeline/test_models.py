"""Approving and rejecting a model version: the registry keeps the reason, the person and the time."""

import re

import pytest

from ml.jobs import registry
from ops import console
from ops.errors import Refused
from pipeline import models


@pytest.fixture
def group(account, dev, monkeypatch):
    """Two versions: 1 is approved, 2 waits for approval."""
    sagemaker = dev.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=dev.settings.prefix)
    for accuracy in (0.9, 0.3):
        registry.register(
            dev,
            training_job=f"job-{accuracy}",
            artifact=f"s3://{dev.data_bucket}/training/job/output/model.tar.gz",
            metrics={"test:accuracy": accuracy},
            lineage={"training_job": f"job-{accuracy}", "architecture": "small_cnn", "dataset": "sample"},
            hyperparameters={},
            run_stats={},
        )
    console.console.cache_clear()
    yield
    console.console.cache_clear()


def test_a_person_approves_a_version_for_a_reason(group, dev, capsys):
    decided = models.decide(dev, 2, approve=True, because="good enough\n for a demo")
    assert (decided["outcome"], decided["approval"], decided["before"]) == (
        "done",
        "Approved",
        "PendingManualApproval",
    )
    kept = registry.find(dev, 2)
    assert kept.is_approved
    who = dev.client("sts").get_caller_identity()["Arn"]
    assert re.fullmatch(
        rf"good enough for a demo \(Approved by {re.escape(who)}, 20\d\d-\d\d-\d\d \d\d:\d\d UTC\)",
        kept.because,
    )
    assert "Next: ./inv deploy --env dev --model 2" in capsys.readouterr().err
    assert registry.choose(dev, None).number == 2


def test_a_long_reason_is_cut_and_keeps_who_and_when(group, dev):
    models.decide(dev, 2, approve=True, because="x" * 5000)
    because = registry.find(dev, 2).because
    assert len(because) == 1024 and because.endswith("UTC)")


@pytest.mark.parametrize(
    ("number", "approve", "because", "message"),
    [
        (2, True, " ", r'--approve 2: the registry keeps the reason, so add it: .*--approve 2 --because "…"'),
        (7, True, "good", r"no model version 7: choose one of 1, 2"),
        (
            1,
            True,
            "good",
            r"^Model version 1 is Approved already: ./inv models --env dev lists the versions\.$",
        ),
        (-1, False, "bad", r"no model version -1"),
    ],
)
def test_what_makes_no_sense_is_refused(group, dev, number, approve, because, message):
    with pytest.raises(Refused, match=message):
        models.decide(dev, number, approve=approve, because=because)


def test_a_second_rejection_names_the_first(group, dev):
    models.decide(dev, 2, approve=False, because="confuses cats")
    with pytest.raises(Refused, match=r"2 is Rejected already \(confuses cats \(Rejected by arn:"):
        models.decide(dev, 2, approve=False, because="again")


def test_rejecting_a_version_in_service_says_how_to_take_it_out(group, dev, capsys, monkeypatch):
    monkeypatch.setattr(
        models, "_endpoints", lambda env, package: ["image-classifier-dev", "image-classifier-dev-b"]
    )
    decided = models.decide(dev, 1, approve=False, because="bad")
    assert decided["in_service"] == ["image-classifier-dev", "image-classifier-dev-b"]
    said = capsys.readouterr().err
    assert "Version 1 is in service, and stays so until you deploy another version:" in said
    assert "./inv rollback --env dev\n" in said and "./inv rollback --env dev --endpoint b" in said


def test_the_table_has_approval_reason_accuracy_and_data_set(group, dev, capsys, monkeypatch):
    monkeypatch.setattr(models, "_uses", lambda env: {})
    models.decide(dev, 1, approve=False, because="confuses cats")
    rows = models.show(dev)
    assert [(row["number"], row["approval"]) for row in rows] == [
        (2, "PendingManualApproval"),
        (1, "Rejected"),
    ]
    assert rows[0]["lineage"]["dataset"] == "sample" and rows[1]["because"].startswith("confuses cats (")
    assert "confuses cats" in " ".join(capsys.readouterr().err.split())
