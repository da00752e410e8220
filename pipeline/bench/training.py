"""The benchmark of training and tuning: `./inv bench training`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ml.jobs import weights
from ops import child_environment
from pipeline.bench import pictures, programs
from pipeline.bench.programs import Measurement

CLASSES, EPOCHS, BATCH_SIZE, TRIALS = 20, 5, 64, 8
CASES = ("frozen", "search", "ranks-frozen", "ranks-scratch")

_WEIGHTS = """
import sys, torch, torchvision
torch.manual_seed(0)
torch.save(getattr(torchvision.models, sys.argv[1])().state_dict(), sys.argv[2])
"""


def real_weights(architecture: str) -> Path | None:
    """Return the file with the real weights of a network, or None if this machine has none and it gets random ones."""
    return weights.packaged() if architecture == "efficientnet_lite0" else None


@dataclass(frozen=True)
class Row:
    """One figure.

    value, goal: as text, with unit. reached: whether the goal is. details: what was measured.
    """

    figure: str
    value: str
    goal: str
    reached: bool
    details: str


@dataclass(frozen=True)
class Benchmark:
    """The benchmark's data and network.

    folder: for pictures, weights and jobs.
    images: number of training images; a tenth as many for validation and test.
    architecture: network whose frozen backbone is benchmarked.
    weights: its state_dict; None for random ones.
    on_step: called with what is being measured.
    """

    folder: Path
    images: int
    architecture: str
    weights: Path | None
    on_step: Callable[[str], None]

    def run(self, cases: tuple[str, ...]) -> Iterator[Row]:
        """Measure the cases, one after the other, and yield their figures."""
        original = None
        if {"frozen", "search"} & set(cases):
            data, pretrained = self._data(), self._weights(self.architecture)
            self.on_step(f"the original's way, {self.images} images, {EPOCHS} epochs")
            original = programs.original(data, pretrained, self.architecture, EPOCHS, BATCH_SIZE)
        if original and "frozen" in cases:
            yield from self._frozen(original)
        if original and "search" in cases:
            yield self._search(original)
        if "ranks-frozen" in cases:
            yield self._ranks("two ranks, frozen backbone", self._frozen_flags(), "", 1.9)
        if "ranks-scratch" in cases:
            yield self._ranks(
                "two ranks, ResNet-18 from scratch, 64 pixels", self._scratch_flags(), "scratch", 1.6
            )

    def _frozen(self, original: Measurement) -> Iterator[Row]:
        self.on_step("training on features")
        ours = programs.train(self._frozen_flags(), self._channels(), self._base("frozen"))
        ratio = original.processor_seconds / ours.processor_seconds
        yield Row(
            f"{self.architecture} frozen, {self.images} images, {EPOCHS} epochs, against the original's way",
            f"{ratio:.1f}x",
            "15x",
            ratio >= 15,
            f"{original.processor_seconds:.1f} and {ours.processor_seconds:.1f} s of processor time",
        )
        accuracies = original.metrics["test:accuracy"], ours.metrics["test:accuracy"]
        yield Row(
            "its accuracy on the test split",
            f"{accuracies[1]:.3f}",
            f"{accuracies[0]:.3f}, the original's",
            accuracies[1] >= accuracies[0],
            f"{self.images // 10} images",
        )
        yield Row(
            f"its peak memory, batch {BATCH_SIZE}",
            f"{ours.peak_bytes / 1e9:.2f} GB",
            "1.6 GB",
            ours.peak_bytes <= 1.6e9,
            f"the original: {original.peak_bytes / 1e9:.2f} GB",
        )

    def _search(self, original: Measurement) -> Row:
        """Measure a search: the features once, and one training program for each trial."""
        self.on_step("a search: features")
        base = self._base("features")
        (base / "checkpoints").mkdir(parents=True)
        used = programs.train(
            {**self._frozen_flags(), "task": "features"}, self._channels(), base
        ).processor_seconds
        channels = {name: folder for name, folder in self._channels().items() if name != "test"}
        channels["features"] = base / "checkpoints"
        for trial in range(TRIALS):
            self.on_step(f"a search: trial {trial + 1} of {TRIALS}")
            flags = {**self._frozen_flags(), "learning-rate": 0.0005 * 2**trial}
            used += programs.train(flags, channels, self._base("trial")).processor_seconds
        ratio = TRIALS * original.processor_seconds / used
        return Row(
            f"a search of {TRIALS} trials, against {TRIALS} times the original's way",
            f"{ratio:.0f}x",
            "60x",
            ratio >= 60,
            f"{TRIALS} times {original.processor_seconds:.1f} s, and {used:.1f} s of processor time",
        )

    def _ranks(self, name: str, flags: dict[str, object], data: str, goal: float) -> Row:
        """Compare one rank on one processor with two on two, in wall-clock time."""
        channels = self._channels(data)
        self.on_step(f"{name}: one rank")
        one = programs.train(flags, channels, self._base("one"))
        self.on_step(f"{name}: two ranks")
        two = programs.train(flags, channels, self._base("two"), ranks=2)
        ratio = one.seconds / two.seconds
        return Row(
            f"{name}, against one rank on one processor",
            f"{ratio:.2f}x",
            f"{goal}x",
            ratio >= goal,
            f"{one.seconds:.1f} and {two.seconds:.1f} s",
        )

    def _frozen_flags(self) -> dict[str, object]:
        return {**self._flags(), "architecture": self.architecture, "image-size": 224, "mode": "linear-probe"}

    def _scratch_flags(self) -> dict[str, object]:
        return {**self._flags(), "architecture": "resnet18", "image-size": 64, "mode": "from-scratch"}

    def _flags(self) -> dict[str, object]:
        return {"epochs": EPOCHS, "batch-size": BATCH_SIZE, "learning-rate": 0.001, "weight-decay": 0.0}

    def _channels(self, data: str = "") -> dict[str, Path]:
        folder = self._data(data)
        found = {split: folder / split for split in ("train", "valid", "test")}
        return found if data else {**found, "weights": self._weights(self.architecture).parent}

    def _data(self, kind: str = "") -> Path:
        counts = {"train": self.images, "valid": self.images // 10, "test": self.images // 10}
        self.on_step("pictures")
        size = (80, 80) if kind else (pictures.WIDTH, pictures.HEIGHT)
        return pictures.write(self.folder / f"pictures{kind}-{self.images}", counts, CLASSES, size)

    def _base(self, name: str) -> Path:
        """Return an empty folder for a job."""
        folder = self.folder / "jobs" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def _weights(self, architecture: str) -> Path:
        """Return the file with the network's weights, alone in its folder."""
        file = self.folder / "weights" / architecture / f"{architecture}.pth"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            if self.weights is not None:
                shutil.copyfile(self.weights, file)
            else:
                command = [sys.executable, "-c", _WEIGHTS, architecture, str(file)]
                subprocess.run(command, env=child_environment.build("training"), check=True)
        return file
