"""What the sections compute from the inputs."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report import words
from pipeline.report.sections import classes, confusion, cost, data, search, stages, training, versions
from tests.pipeline.report import report_kit as kit


@pytest.fixture(scope="module")
def inputs():
    return kit.inputs(10)


def test_confused_pairs_are_all_wrong_predictions_the_most_frequent_first(inputs):
    evaluation = inputs.chosen.evaluation
    found = confusion.pairs(evaluation)
    wrong = evaluation.images - sum(row[at] for at, row in enumerate(evaluation.confusion_matrix))
    assert sum(pair.images for pair in found) == wrong
    assert [pair.images for pair in found] == sorted((pair.images for pair in found), reverse=True)
    assert all(pair.share == pair.images / 24 for pair in found)


def test_the_worst_class_is_first_and_a_class_without_images_last(inputs):
    evaluation = inputs.chosen.evaluation
    unknown = evaluation.per_class[0].model_copy(
        update={"recall": None, "precision": None, "f1": None, "images": 0}
    )
    changed = evaluation.model_copy(update={"per_class": [unknown, *evaluation.per_class[1:]]})
    chosen = dataclasses.replace(inputs.chosen, evaluation=changed)
    rows = classes.content(dataclasses.replace(inputs, chosen=chosen))["rows"]
    assert rows[-1]["recall"] == words.NONE
    assert [row["share"] for row in rows[:-1]] == sorted(row["share"] for row in rows[:-1])
    assert rows[0]["confused"]


def test_samples_are_evenly_chosen_when_there_are_many_classes():
    found = data.content(kit.inputs(133))
    assert (found["sampled"], found["of_classes"], found["each"]) == (60, 133, 1)
    assert len({name for name, _ in found["samples"]}) == 60
    few = data.content(kit.inputs(3))
    assert (few["sampled"], few["each"]) == (3, 4)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"a": 10, "b": 10}, "balanced: the largest has 1.0 times"),
        ({"a": 300, "b": 5}, "a has 300 training images, b 5, which is 60.0 times fewer"),
        ({"a": 3, "b": 0}, "b has no training images"),
    ],
)
def test_imbalance_is_put_into_words(counts, words):
    assert words in data._imbalance(counts)


def test_duplicates_between_splits_come_first(inputs):
    found = data.content(inputs)["duplicates"]
    assert (found["total"], found["across"]) == (2, 1)
    assert [pair["across"] for pair in found["shown"]] == [True, False]


def test_the_search_lists_failed_trials_and_refuses_importance_of_few(inputs):
    found = search.content(dataclasses.replace(inputs, search=kit.search(24)))
    assert found["failed"] == 1 and found["rows"][-1]["failure"].startswith("AlgorithmError")
    assert [row["best"] for row in found["rows"]].count(True) == 1
    assert len(found["plots"]) == 4 and not found["refusal"]
    few = search.content(inputs)
    assert "needs at least 10 trials" in few["refusal"]
    assert [plot.title for plot in few["plots"]] == [
        "Objective over trials",
        "Hyperparameters of the trials",
        "Cost per trial",
    ]


def test_features_that_save_nothing_are_said_to(inputs):
    found = inputs.search.result.features.model_copy(update={"saved_seconds": -20.0, "saved_usd": -0.01})
    result = inputs.search.result.model_copy(update={"features": found})
    changed = dataclasses.replace(inputs, search=dataclasses.replace(inputs.search, result=result))
    assert "That saved no time" in search.content(changed)["features"]


def test_a_search_without_any_result_has_a_table_and_no_plots(inputs):
    trials = [dataclasses.replace(trial, objective=None) for trial in inputs.search.trials]
    found = search.content(
        dataclasses.replace(inputs, search=dataclasses.replace(inputs.search, trials=trials))
    )
    assert found["plots"] == [] and len(found["rows"]) == 6


def test_a_stage_that_has_not_run_has_its_command():
    found = {stage.name: stage for stage in stages.content(kit.empty_inputs())["stages"]}
    assert list(found) == ["foundation", "data", "tune", "train", "deploy", "predict"]
    assert (found["tune"].made, found["tune"].command) == ("", "./inv tune --env dev")
    assert found["predict"].command == "./inv predict --env dev --split test"


def test_stages_have_the_time_of_their_jobs(inputs):
    found = {stage.name: stage.seconds for stage in stages.content(inputs)["stages"]}
    search = inputs.search
    assert found["tune"] == (search.end - search.start).total_seconds()
    assert found["train"] == 734
    assert found["deploy"] == 412.0
    assert found["features"] == 212


def test_the_best_epoch_has_the_lowest_validation_loss():
    history = [{"validation:loss": loss} for loss in (3.0, 1.0, 2.0)]
    assert training.best_epoch(history) == 2
    assert training.best_epoch([{"train:loss": 1.0}] * 3) == 3


def test_versions_show_what_differs(inputs):
    found = versions.content(inputs)
    assert found["columns"] == ["version 3", "version 4", "version 5"]
    assert dict(found["differing"]) == {
        "epochs": ["6", "8", "10"],
        "learning-rate": ["0.003", "0.004", "0.005"],
    }
    assert found["pair"] == ["version 4", "version 5"] and found["plot"] is not None and not found["reason"]


def test_versions_of_other_data_are_compared_with_a_warning(inputs):
    before, after = inputs.compared
    lineage = {**before.version.lineage, "data_hash": "other"}
    other = dataclasses.replace(before, version=dataclasses.replace(before.version, lineage=lineage))
    found = versions.content(dataclasses.replace(inputs, compared=(other, after)))
    assert "measured on different data" in found["reason"] and found["plot"]


def test_a_version_compared_with_an_equal_one_has_words(inputs):
    same = dataclasses.replace(inputs, compared=(inputs.chosen, inputs.chosen))
    assert "No class is recognized better or worse" in versions.content(same)["reason"]


def test_costs_follow_the_price_list(inputs):
    assert cost.of_training(inputs.chosen) == pytest.approx(1.408 * 312 / 3600)
    assert cost.per_month(inputs) == "$89.43 to $257.33"
    lineage = {**inputs.chosen.version.lineage, "launcher": "here"}
    here = dataclasses.replace(
        inputs.chosen, version=dataclasses.replace(inputs.chosen.version, lineage=lineage)
    )
    assert cost.of_training(here) == 0.0
    lineage["launcher"], lineage["instance_type"] = "sagemaker", "ml.x9.huge"
    assert cost.of_training(here) is None


def test_an_unknown_price_and_a_serverless_endpoint_have_words(inputs):
    endpoint = inputs.endpoints[0]

    def monthly(**changes):
        outputs = endpoint.outputs.model_copy(update={"provisioned_concurrency": 0, **changes})
        changed = dataclasses.replace(inputs, endpoints=[dataclasses.replace(endpoint, outputs=outputs)])
        return [line["usd"] for line in cost.content(changed)["monthly"]]

    assert monthly(instance_type="ml.x9.huge") == ["price not listed"]
    assert monthly(instance_type=None) == ["by use"]
    assert monthly(max_capacity=1) == ["$83.95"]


@given(st.floats(0, 1e6))
def test_durations_are_within_a_rounding_of_the_seconds(seconds):
    units = {"h": 3600, "min": 60, "s": 1}
    parts = words.duration(seconds).split()
    total = sum(float(number) * units[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))
    assert abs(total - seconds) <= (60 if seconds >= 3599.5 else 0.5)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "$0"), (0.0012345, "$0.0012"), (1234.5, "$1,234.50"), (None, words.NONE)]
)
def test_amounts(value, text):
    assert words.usd(value) == text
