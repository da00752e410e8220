"""The approval status and metadata of a model package."""

from __future__ import annotations

import pytest

from ml.runner.registration import with_results


@pytest.mark.parametrize(
    ("metrics", "approval"),
    [
        ({"test:accuracy": 0.8}, "Approved"),
        ({"test:accuracy": 0.7999}, "PendingManualApproval"),
        ({"validation:accuracy": 0.99}, "PendingManualApproval"),  # no test split
    ],
)
def test_approval_depends_on_the_accuracy_on_the_test_split(metrics, approval):
    request = with_results({"ModelPackageGroupName": "g"}, metrics, 0.8, {})
    assert request["ModelApprovalStatus"] == approval


def test_metadata_values_have_only_what_sagemaker_accepts():
    request = {"CustomerMetadataProperties": {"training_job": "j"}}
    properties = {"note": "x" * 300, "kind": "2 × é\n_.:/=+-@"}
    completed = with_results(request, {"test:accuracy": 0.5}, 0, properties)
    assert completed["CustomerMetadataProperties"] == {
        "training_job": "j",
        "test_accuracy": "0.5",
        "note": "x" * 256,
        "kind": "2   é _.:/=+-@",
    }
    assert request == {"CustomerMetadataProperties": {"training_job": "j"}}
