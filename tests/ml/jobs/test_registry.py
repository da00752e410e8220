"""Model versions: registered once, approved by their accuracy, chosen by number or as the newest approved."""

from datetime import datetime

import pytest

from ml.jobs import registry
from ops.aws import client
from ops.errors import OperatorError


def version(number: int, approval: str) -> registry.Version:
    return registry.Version(
        number, f"arn/{number}", approval, datetime(2026, 1, number), {"training_job": f"job-{number}"}
    )


@pytest.fixture
def registered(monkeypatch):
    """Sets the versions that there are, oldest first."""

    def there(*approvals: str) -> None:
        found = [version(number, approval) for number, approval in enumerate(approvals, 1)]
        monkeypatch.setattr(registry, "versions", lambda *_: found[::-1])

    return there


def test_the_newest_approved_version_is_chosen(registered, dev, foundation):
    registered("Approved", "Approved", "PendingManualApproval")
    assert registry.choose(dev, foundation, None).number == 2


def test_a_version_can_be_named_whatever_its_approval(registered, dev, foundation):
    registered("Approved", "Rejected")
    assert registry.choose(dev, foundation, 2).number == 2


@pytest.mark.parametrize(
    ("approvals", "number", "told"),
    [
        ((), None, r"No model is registered yet: run \./inv train --env dev\.$"),
        ((), 3, r"No model is registered yet"),
        (("Approved", "Approved"), 7, r"no model version 7: there are 1, 2 \(\./inv models --env dev\)"),
        (("Approved",), 0, "no model version 0: there are 1"),
        (
            ("PendingManualApproval", "Rejected"),
            None,
            r"None of the 2 model versions is approved: .*--model N",
        ),
    ],
)
def test_no_such_version(registered, dev, foundation, approvals, number, told):
    registered(*approvals)
    with pytest.raises(OperatorError, match=told):
        registry.choose(dev, foundation, number)


@pytest.fixture
def group(account, dev):
    client("sagemaker", dev.region).create_model_package_group(ModelPackageGroupName=dev.prefix)


def register(dev, foundation, job: str, **metrics: float) -> registry.Version:
    return registry.register(
        dev,
        foundation,
        training_job=job,
        artifact=f"s3://{foundation.bucket}/training/{job}/output/model.tar.gz",
        metrics={name.replace("_", ":"): value for name, value in metrics.items()},
        lineage={"training_job": job, "architecture": "small_cnn"},
        took={"billable_seconds": "60"},
    )


def test_a_version_carries_metrics_and_lineage(group, dev, foundation):
    made = register(dev, foundation, "job-1", test_accuracy=0.75)
    assert made.number == 1
    assert made.lineage == {
        "training_job": "job-1",
        "architecture": "small_cnn",
        "test_accuracy": "0.75",
        "billable_seconds": "60",
    }
    package = client("sagemaker", dev.region).describe_model_package(ModelPackageName=made.arn)
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    bucket, _, key = statistics.removeprefix("s3://").partition("/")
    assert (
        b'"test:accuracy": 0.75' in client("s3", dev.region).get_object(Bucket=bucket, Key=key)["Body"].read()
    )
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["Environment"] == {"SM_RAYSERVE_APP": "app:app"}
    # A list would bind the version to the instance types of the day of its registration.
    assert not package["InferenceSpecification"].get("SupportedRealtimeInferenceInstanceTypes")


@pytest.mark.parametrize(
    ("metrics", "approval"),
    [
        ({"test_accuracy": 0.6}, "Approved"),  # dev wants 0.6
        ({"test_accuracy": 0.59}, "PendingManualApproval"),
        ({"validation_accuracy": 0.99}, "PendingManualApproval"),  # nothing is known of unseen pictures
    ],
)
def test_approval_is_by_accuracy_on_the_test_split(group, dev, foundation, metrics, approval):
    assert register(dev, foundation, "job-1", **metrics).approval == approval


@pytest.mark.parametrize(
    ("before", "minimum", "after"),
    [
        ("PendingManualApproval", 0.5, "Approved"),
        ("PendingManualApproval", 0.7, "PendingManualApproval"),
        ("Rejected", 0.5, "Rejected"),  # a person's word stands
        ("Approved", 0.7, "Approved"),
    ],
)
def test_a_lower_minimum_approves_what_waits(group, dev, foundation, monkeypatch, before, minimum, after):
    made = register(dev, foundation, "job-1", test_accuracy=0.59)
    sagemaker = client("sagemaker", dev.region)
    update = sagemaker.update_model_package
    # moto forgets the properties that an update does not name; AWS keeps them.
    monkeypatch.setattr(
        sagemaker,
        "update_model_package",
        lambda **given: update(**given, CustomerMetadataProperties=made.lineage),
    )
    sagemaker.update_model_package(ModelPackageArn=made.arn, ModelApprovalStatus=before)
    training = dev.training.model_copy(update={"minimum_accuracy": minimum})
    again = register(dev.model_copy(update={"training": training}), foundation, "job-1", test_accuracy=0.59)
    assert (again.number, again.approval) == (1, after)


def test_a_training_job_is_registered_once(group, dev, foundation):
    first, second = (register(dev, foundation, "job-1", test_accuracy=0.7) for _ in range(2))
    other = register(dev, foundation, "job-2", test_accuracy=0.8)
    assert first.number == second.number == 1
    assert [v.number for v in registry.versions(dev, foundation)] == [other.number, 1]
