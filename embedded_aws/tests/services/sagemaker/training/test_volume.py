"""Storage volumes of instances."""

from __future__ import annotations

from pathlib import Path

from embedded_aws.services.sagemaker.training import volume
from embedded_aws.services.sagemaker.training.volume import Volumes, used


def test_input_and_output_count_against_the_volume(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(volume, "GIGABYTE", 100_000)
    folders = [tmp_path / "algo-1", tmp_path / "algo-2"]
    for folder in folders:
        (folder / "input/data").mkdir(parents=True)
        (folder / "model/input").mkdir(parents=True)
    (folders[1] / "input/data/picture").write_bytes(b"x" * 60_000)
    volumes = Volumes(folders, 1)
    assert volumes.full() is None
    (folders[0] / "model/weights").write_bytes(b"x" * 60_000)
    assert volumes.full() is None
    (folders[1] / "model/input/weights").write_bytes(b"x" * 60_000)
    assert volumes.full() == 2
    assert Volumes(folders, 0).full() is None


def test_sparse_file_uses_no_space(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1024**3)
    assert used(tmp_path) < 1024**2
    assert used(tmp_path / "nowhere") == 0
