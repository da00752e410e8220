"""An environment with a fake SageMaker and a fake stack workbench."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ops.environment import Environment
from ops.terraform import stacks
from tests.environments import with_clients
from tests.pipeline.workbench.fake_sagemaker import FakeSageMaker


@pytest.fixture
def sagemaker() -> FakeSageMaker:
    return FakeSageMaker()


@pytest.fixture
def env(account, dev, sagemaker, fast_clock) -> Environment:
    """Environment dev with the fake SageMaker."""
    return with_clients(dev, sagemaker=sagemaker)


@pytest.fixture
def publish(account):
    """Return a function that writes the outputs of stack workbench."""

    def write(kind: str = "studio", domain: str | None = "d-1") -> None:
        outputs = {
            "name": "image-classifier-dev-workbench",
            "kind": kind,
            "instance_type": "ml.t3.medium",
            "domain_id": domain,
            "internet_access": True,
            "repository_uri": "s3://b/r.tar.gz",
            "role_arn": "arn:aws:iam::123456789012:role/image-classifier-dev-workbench",
        }
        account.publish("workbench", outputs)

    return write


@pytest.fixture
def stack(monkeypatch):
    """The stack. inputs: of each apply. downs: how often it was destroyed. up, down: functions called by both."""
    fake = SimpleNamespace(inputs=[], downs=0, up=lambda inputs: None, down=lambda: None)
    change = SimpleNamespace(address="module.workbench[0].x", actions=("create",))

    class Stack:
        def __init__(self, env, progress, notebooks=None):
            self.notebooks = notebooks

        def up(self):
            fake.inputs.append(self.notebooks)
            fake.up(self.notebooks)
            return (change,)

        def down(self):
            fake.downs += 1
            fake.down()
            return (change,)

    monkeypatch.setattr(stacks, "workbench", Stack)
    return fake
