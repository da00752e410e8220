"""A model fits the data set and the classes it was trained for, and no other."""

import dataclasses

import pytest

from ml.jobs import compatibility
from ml.jobs.data.manifest import ImageEntry
from ml.jobs.registry import Version
from ops.errors import Refused


def with_file(manifest, key: str):
    return dataclasses.replace(manifest, files={**manifest.files, key: ImageEntry("0" * 64, 9)})


def test_a_model_fits_the_data_it_was_trained_on_and_another_state_of_it(manifest):
    trained = compatibility.lineage(manifest)
    assert compatibility.difference(trained, manifest) == ""
    grown = with_file(manifest, "train/0/more.png")
    assert grown.hash != manifest.hash
    assert compatibility.difference(trained, grown) == ""


@pytest.mark.parametrize(
    ("trained", "message"),
    [
        ({}, "it is not known what it was trained on, and the current data set is sample"),
        ({"dataset": "dogs", "classes_digest": "same"}, "on data set dogs, and the current one is sample"),
        (
            {"classes_digest": "another", "classes": "133"},
            "on 133 classes of data set sample, .* has 2, or others",
        ),
        ({"dataset": "sample"}, "on an unknown number of classes"),
    ],
)
def test_a_model_of_other_data_or_classes_does_not_fit(manifest, trained, message):
    own = compatibility.lineage(manifest)
    same = own["classes_digest"]
    lineage = {name: same if value == "same" else value for name, value in trained.items()}
    if "classes" in lineage:
        lineage["dataset"] = "sample"
    version = Version(3, "arn/3", "Approved", None, lineage)
    dev = type("Settings", (), {"flag": " --env dev"})()
    with pytest.raises(Refused, match=message) as refused:
        compatibility.check(dev, version, manifest)
    assert "./inv train --env dev" in str(refused.value) and "--allow-other-data" in str(refused.value)


def test_another_class_of_the_same_number_does_not_fit(manifest):
    renamed = dataclasses.replace(
        manifest, files={key.replace("/1/", "/2/"): image for key, image in manifest.files.items()}
    )
    assert len(renamed.classes) == len(manifest.classes)
    assert compatibility.difference(compatibility.lineage(manifest), renamed)


def test_the_order_and_the_borders_of_class_names_count():
    digests = {
        compatibility.classes_digest(names) for names in (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"])
    }
    assert len(digests) == 4
