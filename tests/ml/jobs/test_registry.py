"""Model versions: registered once, approved by accuracy, chosen by number or as the newest approved."""

import json
from datetime import datetime

import pytest

from ml.jobs import registry
from ops.errors import OperatorError
from tests.environments import with_settings
from tests.ml.runner.test_model_card import an_evaluation, check
from tests.ml.runner.test_results import archive


def version(number: int, approval: str) -> registry.Version:
    return registry.Version(
        number, f"arn/{number}", approval, datetime(2026, 1, number), {"training_job": f"job-{number}"}
    )


@pytest.fixture
def registered(monkeypatch):
    """Return a function that sets the registered versions, oldest first."""

    def there(*approvals: str) -> None:
        found = [version(number, approval) for number, approval in enumerate(approvals, 1)]
        monkeypatch.setattr(registry, "versions", lambda *_: found[::-1])

    return there


def test_the_newest_approved_version_is_chosen(registered, dev):
    registered("Approved", "Approved", "PendingManualApproval")
    assert registry.choose(dev, None).number == 2


def test_a_version_can_be_chosen_without_approval(registered, dev):
    registered("Approved", "Rejected")
    assert registry.choose(dev, 2).number == 2


@pytest.mark.parametrize(
    ("approvals", "number", "message"),
    [
        ((), None, r"No model is registered yet: run \./inv train --env dev\.$"),
        ((), 3, r"No model is registered yet"),
        (
            ("Approved", "Approved"),
            7,
            r"no model version 7: choose one of 1, 2 \(\./inv models --env dev shows",
        ),
        (("Approved",), 0, "no model version 0: choose one of 1 "),
        (
            ("PendingManualApproval", "Rejected"),
            None,
            r"None of the 2 model versions is approved: .*--approve 2 --because",
        ),
    ],
)
def test_an_unknown_version_is_refused(registered, dev, approvals, number, message):
    registered(*approvals)
    with pytest.raises(OperatorError, match=message):
        registry.choose(dev, number)


@pytest.fixture
def group(account, dev):
    dev.client("sagemaker").create_model_package_group(ModelPackageGroupName=dev.settings.prefix)


def register(env, job: str, **metrics: float) -> registry.Version:
    return registry.register(
        env,
        training_job=job,
        artifact=f"s3://{env.data_bucket}/training/{job}/output/model.tar.gz",
        metrics={name.replace("_", ":"): value for name, value in metrics.items()},
        lineage={"training_job": job, "architecture": "small_cnn"},
        hyperparameters={"epochs": "3"},
        run_stats={"billable_seconds": "60"},
    )


def test_two_commands_that_register_one_training_at_once_make_one_version(group, dev, monkeypatch):
    listed = registry.versions
    answers = [[], None]  # the second command has looked before the first has registered

    def versions(env):
        answer = answers.pop(0)
        return listed(env) if answer is None else answer

    first = register(dev, "job-1", test_accuracy=0.95)
    deleted = []
    delete = lambda ModelPackageName: deleted.append(ModelPackageName)  # noqa: E731 (moto cannot delete)
    monkeypatch.setattr(dev.client("sagemaker"), "delete_model_package", delete)
    monkeypatch.setattr(registry, "versions", versions)
    assert register(dev, "job-1", test_accuracy=0.95) == first
    assert deleted == [first.arn.removesuffix("1") + "2"]


def test_a_version_has_metrics_and_lineage(group, dev):
    made = register(dev, "job-1", test_accuracy=0.75)
    assert made.number == 1
    assert made.lineage == {
        "training_job": "job-1",
        "architecture": "small_cnn",
        "test_accuracy": "0.75",
        "billable_seconds": "60",
    }
    package = dev.client("sagemaker").describe_model_package(ModelPackageName=made.arn)
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    bucket, _, key = statistics.removeprefix("s3://").partition("/")
    assert b'"test:accuracy": 0.75' in dev.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["Environment"] == {"SM_RAYSERVE_APP": "app:app"}
    # A list would limit the version to the instance types that existed at its registration.
    assert not package["InferenceSpecification"].get("SupportedRealtimeInferenceInstanceTypes")


def put_output(env, job: str, body: bytes) -> None:
    key = f"training/{job}/output/output.tar.gz"
    env.client("s3").put_object(Bucket=env.data_bucket, Key=key, Body=body)


def test_the_evaluation_is_stored_next_to_the_metrics(group, dev, monkeypatch):
    evaluation = an_evaluation(2)
    files = {
        "evaluation.json": json.dumps(evaluation).encode(),
        "metrics.json": b'{"history": [{"train:loss": 1.0}]}',
        "model-card.md": b"# Card",
    }
    put_output(dev, "job-1", archive(files).getvalue())
    sagemaker, requests = dev.client("sagemaker"), []
    create = sagemaker.create_model_package
    monkeypatch.setattr(sagemaker, "create_model_package", lambda **r: requests.append(r) or create(**r))
    register(dev, "job-1", test_accuracy=0.75)

    stored = {
        name: dev.client("s3").get_object(Bucket=dev.data_bucket, Key=f"training/job-1/{name}")["Body"].read()
        for name in ("evaluation.json", "history.json", "model-card.md")
    }
    assert json.loads(stored["evaluation.json"]) == evaluation
    assert json.loads(stored["history.json"]) == [{"train:loss": 1.0}]
    assert stored["model-card.md"] == b"# Card"
    card = check(requests[0]["ModelCard"])
    assert card["evaluation_details"][0]["name"] == "test split"
    assert card["intended_uses"]["risk_rating"] == "Unknown"
    assert card["training_details"]["training_job_details"]["user_provided_hyper_parameters"] == [
        {"name": "epochs", "value": "3"}
    ]


def test_a_damaged_output_is_reported_with_what_to_do(group, dev):
    put_output(dev, "job-1", b"not an archive")
    with pytest.raises(
        OperatorError, match=r"output.tar.gz is not the output .*: run \./inv train --env dev"
    ):
        register(dev, "job-1", test_accuracy=0.75)


@pytest.mark.parametrize(
    ("metrics", "approval"),
    [
        ({"test_accuracy": 0.6}, "Approved"),  # the minimum of dev
        ({"test_accuracy": 0.59}, "PendingManualApproval"),
        ({"validation_accuracy": 0.99}, "PendingManualApproval"),  # without a test split
    ],
)
def test_approval_depends_on_the_accuracy_on_the_test_split(group, dev, metrics, approval):
    assert register(dev, "job-1", **metrics).approval == approval


@pytest.mark.parametrize(
    ("before", "minimum", "after"),
    [
        ("PendingManualApproval", 0.5, "Approved"),
        ("PendingManualApproval", 0.7, "PendingManualApproval"),
        ("Rejected", 0.5, "Rejected"),  # a person's decision is kept
        ("Approved", 0.7, "Approved"),
    ],
)
def test_a_lower_minimum_approves_a_pending_version(group, dev, monkeypatch, before, minimum, after):
    made = register(dev, "job-1", test_accuracy=0.59)
    env = with_settings(dev, training={"minimum_accuracy": minimum})
    sagemaker = env.client("sagemaker")
    update = sagemaker.update_model_package
    # moto forgets the properties that an update does not name; AWS keeps them.
    monkeypatch.setattr(
        sagemaker,
        "update_model_package",
        lambda **given: update(**given, CustomerMetadataProperties=made.lineage),
    )
    sagemaker.update_model_package(ModelPackageArn=made.arn, ModelApprovalStatus=before)
    again = register(env, "job-1", test_accuracy=0.59)
    assert (again.number, again.approval) == (1, after)


def test_a_training_job_is_registered_once(group, dev):
    first, second = (register(dev, "job-1", test_accuracy=0.7) for _ in range(2))
    other = register(dev, "job-2", test_accuracy=0.8)
    assert first.number == second.number == 1
    assert [v.number for v in registry.versions(dev)] == [other.number, 1]
