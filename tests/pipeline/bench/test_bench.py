"""The benchmark: what it measures, and what it calls reached."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from ops.errors import OperatorError
from pipeline.bench import pictures, programs
from pipeline.bench.programs import Measurement
from pipeline.bench.training import Benchmark


def test_pictures_are_the_same_every_time(tmp_path):
    counts = {"train": 6, "test": 2}
    trees = [pictures.write(tmp_path / name, counts, 2, (40, 30)) for name in "ab"]
    files = [sorted(path.relative_to(tree) for path in tree.rglob("*.jpg")) for tree in trees]
    assert files[0] == files[1]
    assert len(files[0]) == 8
    for file in files[0]:
        assert (trees[0] / file).read_bytes() == (trees[1] / file).read_bytes()
    with Image.open(trees[0] / files[0][0]) as image:
        assert image.size == (40, 30)


def test_processor_time_and_memory_of_all_processes_are_measured():
    work = "x = bytearray(60_000_000)\nimport time\nwhile time.process_time() < 0.3: pass\nprint('done')"
    command = [sys.executable, "-c", work]
    seconds, used, peak, output = programs.run([command, command], [{}, {}], 2)
    assert output == "done\n"
    assert used >= 0.6
    assert seconds >= 0.3
    assert peak >= 60e6


def test_a_program_that_fails_is_reported_with_its_last_words():
    command = [sys.executable, "-c", "import sys; sys.exit('no data')"]
    with pytest.raises(OperatorError, match="ended with status 1: no data"):
        programs.run([command], [{}], 1)


def measured(seconds: float, accuracy: float = 0.9, peak: float = 1e9) -> Measurement:
    return Measurement(seconds, seconds, int(peak), {"test:accuracy": accuracy})


@pytest.fixture
def benchmark(tmp_path, monkeypatch) -> Benchmark:
    weights = tmp_path / "w.pth"
    weights.touch()
    monkeypatch.setattr(pictures, "write", lambda folder, *_: folder)
    return Benchmark(tmp_path, 1000, "resnet50", weights, lambda text: None)


def test_the_frozen_backbone_is_compared_in_processor_time_accuracy_and_memory(benchmark, monkeypatch):
    monkeypatch.setattr(programs, "original", lambda *_: measured(800, 0.8))
    monkeypatch.setattr(programs, "train", lambda *_, **__: measured(40, 0.79, 1.5e9))
    rows = list(benchmark.run(("frozen",)))
    assert [(row.value, row.reached) for row in rows] == [
        ("20.0x", True),
        ("0.790", False),
        ("1.50 GB", True),
    ]


def test_a_search_counts_the_features_and_every_trial(benchmark, monkeypatch):
    jobs: list[dict[str, object]] = []

    def train(flags, channels, base: Path, **_: object) -> Measurement:
        jobs.append(flags)
        assert ("features" in channels) is (flags.get("task") != "features")
        return measured(40 if flags.get("task") == "features" else 7.5)

    monkeypatch.setattr(programs, "original", lambda *_: measured(800))
    monkeypatch.setattr(programs, "train", train)
    (row,) = benchmark.run(("search",))
    assert (row.value, row.reached) == ("64x", True)
    assert len({flags["learning-rate"] for flags in jobs[1:]}) == len(jobs) - 1 == 8


def test_ranks_are_compared_in_wall_clock_time(benchmark, monkeypatch):
    monkeypatch.setattr(programs, "train", lambda *_, ranks=1: measured(30 if ranks == 1 else 20))
    rows = list(benchmark.run(("ranks-frozen", "ranks-scratch")))
    assert [(row.value, row.reached) for row in rows] == [("1.50x", False), ("1.50x", False)]
