"""Rollback: which model it deploys."""

from ops import endpoint_history
from pipeline import deploy


def test_a_rollback_deploys_the_previous_model(monkeypatch, account, dev, serving):
    account.publish("serving/image-classifier-dev-multi", serving.model_dump())
    group = serving.model_package_arn.rpartition("/")[0]
    deployments = []
    monkeypatch.setattr(endpoint_history, "previous_package", lambda env, endpoint: f"{group}/12")
    monkeypatch.setattr(deploy, "run", lambda *given, **named: deployments.append((*given, named)))
    deploy.roll_back(dev, "multi")
    assert deployments == [(dev, 12, "multi", {"name": "rollback"})]
