"""Answers of the deployed model that are far worse than its test accuracy are noticed, and chance is not."""

import pytest

from ml.jobs import compatibility, predictions, registry
from ml.jobs.predictions import Accuracy
from ml.jobs.registry import Version
from ops.errors import OperatorError, Refused
from ops.paths import ROOT
from pipeline import answers, predict


def version(manifest, accuracy: str | None, **other: str) -> Version:
    lineage = {**compatibility.lineage(manifest), **other}
    return Version(3, "arn/3", "Approved", None, lineage | ({"test_accuracy": accuracy} if accuracy else {}))


@pytest.fixture
def deployed(account, dev, serving, manifest, monkeypatch):
    """Return a function that deploys a model: its test accuracy, and how many of the 10 test images it gets right."""
    account.publish("serving/image-classifier-dev", serving.model_dump())

    def there(accuracy: str | None, correct: int, **other: str) -> None:
        given = []

        def invoke(env, target, request):
            label = request["s3"].split("/")[-2]
            given.append(label)
            return {"predictions": [{"label": label if len(given) <= correct else "?", "probability": 0.9}]}

        monkeypatch.setattr(registry, "of_package", lambda env, arn: version(manifest, accuracy, **other))
        monkeypatch.setattr(predictions, "invoke", invoke)

    return there


@pytest.mark.parametrize(
    ("correct", "images", "expected", "far"),
    [
        (0, 30, 0.97, True),  # the model of other data that `up` served
        (0, 1, 0.97, False),  # one image says little
        (7, 8, 1.0, False),  # and a measured accuracy of 1 promises nothing
        (4, 8, 1.0, True),
        (250, 269, 0.95, False),
        (220, 269, 0.95, True),
        (30, 30, 0.0, False),
        (0, 30, 0.0, False),
        (90_000, 100_000, 0.95, True),
    ],
)
def test_only_what_is_no_accident_counts_as_far_below(correct, images, expected, far):
    assert Accuracy(images, correct, []).is_far_below(expected) is far


def test_as_accurate_as_when_it_was_trained_is_done(deployed, dev):
    deployed("0.9", 9)
    found = predict.accuracy(dev)
    assert (found["outcome"], found["reason"], found["accuracy"]) == ("done", "", 0.9)


def test_far_less_accurate_is_degraded(deployed, dev):
    deployed("0.98", 7)
    found = predict.accuracy(dev)
    assert found["outcome"] == "degraded"
    assert "7 of 10 images are correct (70.0%) through image-classifier-dev" in found["reason"]
    assert "the test accuracy of model version 3 is 98.0%" in found["reason"]
    assert "/aws/lambda/image-classifier-dev-inference" in found["reason"]


def test_no_better_than_guesses_is_a_failure(deployed, dev):
    deployed("0.98", 0)
    with pytest.raises(OperatorError, match=r"no better than guesses: 0 of 10 images are correct"):
        predict.accuracy(dev)


def test_without_a_measured_accuracy_nothing_is_compared(deployed, dev):
    deployed(None, 0)
    assert predict.accuracy(dev)["outcome"] == "done"


def test_a_model_of_other_data_is_not_measured_on_this_data(deployed, dev):
    deployed("0.98", 10, data_hash="other", dataset="dogs")
    for call in (predict.accuracy, predict.predict):
        with pytest.raises(
            Refused, match=r"serves model version 3, .* on data set dogs, and the current one is sample"
        ):
            call(dev)


def test_an_image_of_a_person_may_go_to_a_model_of_other_data(deployed, dev):
    deployed("0.98", 10, data_hash="other", dataset="dogs")
    assert predict.predict(dev, s3_uri="s3://bucket/mine/cat/a.png")["predictions"][0]["label"] == "cat"


def test_smoke_predictions_take_an_image_of_each_class(deployed, dev, serving):
    deployed("0.98", 2)
    found = answers.smoke(dev, serving)
    assert (found["images"], found["correct"], found["expected"]) == (2, 2, "0")


def test_smoke_predictions_that_are_all_wrong_are_an_error(deployed, dev, serving, monkeypatch):
    deployed("0.98", 0)
    with pytest.raises(OperatorError, match="The smoke predictions are wrong: 0 of 2 images are correct"):
        answers.smoke(dev, serving)
    other = answers.smoke(dev, serving, has_labels=False)
    assert (other["correct"], other["note"]) == (None, "2 answered, of other data")


def test_of_several_variants_the_least_accurate_counts_and_the_shadow_does_not(
    account, dev, serving, manifest, monkeypatch
):
    accuracy = {"arn/1": "0.99", "arn/2": "0.6", "arn/3": "0.1"}
    monkeypatch.setattr(registry, "of_package", lambda env, arn: version(manifest, accuracy[arn]))
    variants = {"AllTraffic": "arn/1", "Second": "arn/2", "Shadow": "arn/3"}
    target = serving.model_copy(update={"variants": variants})
    assert answers.shortfall(dev, target, Accuracy(10, 5, [])) == ""
    assert "the test accuracy of model version 3 is 60.0%" in answers.shortfall(
        dev, target, Accuracy(100, 20, [])
    )


def test_the_shadow_variant_has_the_name_that_terraform_gives_it():
    text = (ROOT / "terraform" / "modules" / "endpoint" / "configuration.tf").read_text(encoding="utf-8")
    assert f'= "{answers.SHADOW}"' in text
