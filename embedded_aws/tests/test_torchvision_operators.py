"""`import torchvision` works in every program, beside any torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # imports torch

PROGRAM = """
import torch, torchvision
torchvision.models.resnet18()
boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]])
try:
    print(torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist())
except RuntimeError as error:
    print(error)
built = [part.__version__.partition("+")[2] for part in (torch, torchvision)]
print("together" if built[0] == built[1] else "apart")
"""


def test_torchvision_is_importable_and_its_operators_work_or_refuse_by_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    *answer, built = done.stdout.splitlines()
    if built == "together":
        assert answer == ["[0, 2]"]
    else:
        assert "Couldn't load custom C++ ops" in answer[0]


def test_a_torchvision_that_was_built_for_this_torch_is_left_alone(tmp_path: Path) -> None:
    """Declaring an operator that the extension also declares would make its import fail."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").touch()
    program = "import torch; print(hasattr(torch.ops.torchvision, 'nms'), torch.version.cuda is None)"
    answers = []
    for build in ("+cpu", "", "+cu130"):
        (package / "version.py").write_text(f"__version__ = '0.28.0{build}'\n")
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        declared, for_cpu = done.stdout.split()
        answers.append(declared)
    assert answers == ["False", "False", for_cpu]
