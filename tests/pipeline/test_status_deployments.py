"""The status names the last deployment of an endpoint if it failed."""

from tests.pipeline.test_status import env, live, rows  # noqa: F401


def test_the_last_deployment_is_reported_if_it_failed(account, env, serving):  # noqa: F811
    account.publish("serving/image-classifier-dev", serving.model_dump())
    failed = {"package": "arn/2", "at": "2026-01-01T12:00:00Z", "reason": "SageMaker rolled it back."}
    account.publish("served_models/image-classifier-dev", {"served": [], "failed": failed})
    (row,) = [row for row in rows(env) if row[0] == "deployment"]
    assert row[1] == "image-classifier-dev"
    assert row[2].startswith("of version 2 failed at 20") and row[2].endswith(": SageMaker rolled it back.")
