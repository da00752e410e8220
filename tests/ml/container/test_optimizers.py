"""The optimizers are PyTorch's, and do not import torch.compile."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import optimizers
from ops import child_environment
from ops.paths import ROOT

OPTIONS = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True},
    "AdamW": {"lr": 0.01, "weight_decay": 0.01},
    "LBFGS": {"max_iter": 5, "line_search_fn": "strong_wolfe"},
}
PROGRAM = """
import sys
import torch
import optimizers, threads
model = torch.nn.Linear(2, 1)
threads.count_flops(torch.nn.Conv2d(1, 1, 3), channels=1, image_size=8)
for optimizer in (optimizers.SGD(model.parameters()), optimizers.AdamW(model.parameters())):
    optimizer.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
sys.exit("torch._dynamo" in sys.modules)
"""


def train(optimizer_class: type[torch.optim.Optimizer], options: dict) -> tuple[torch.Tensor, dict]:
    """Return the weights after some steps, and the optimizer's state. It is saved and loaded on the way."""
    torch.manual_seed(0)
    model, inputs = nn.Linear(4, 3), torch.randn(16, 4)
    optimizer = optimizer_class(model.parameters(), **options)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = model(inputs).square().mean() + model(inputs).mean()
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
        optimizer.load_state_dict(optimizer.state_dict())
    return model.weight.detach(), optimizer.state_dict()


@pytest.mark.parametrize("name", OPTIONS)
def test_an_optimizer_does_what_pytorch_s_does(name):
    weights, state = train(getattr(optimizers, name), OPTIONS[name])
    expected_weights, expected_state = train(getattr(torch.optim, name), OPTIONS[name])
    assert torch.equal(weights, expected_weights)
    torch.testing.assert_close(state["state"], expected_state["state"], rtol=0, atol=0)
    assert isinstance(getattr(optimizers, name)([torch.zeros(1)]), getattr(torch.optim, name))


@pytest.mark.slow
def test_training_does_not_import_the_compiler():
    environment = child_environment.build("training", {"PYTHONPATH": str(ROOT / "ml" / "container")})
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
