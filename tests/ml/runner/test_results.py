"""The files of a trained model that are stored next to its metrics."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from ml.runner import results

METRICS = {"test:accuracy": 0.5, "history": [{"train:loss": 1.0}]}


def archive(files: dict[str, bytes], prefix: str = "") -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    packed.seek(0)
    return packed


@pytest.mark.parametrize("prefix", ["", "./"])
def test_a_folder_and_its_archive_give_the_same_files(tmp_path, prefix):
    files = {
        "evaluation.json": b'{"accuracy": 0.5}',
        "metrics.json": json.dumps(METRICS).encode(),
        "model-card.md": b"# Card",
        "tensorboard/events.1": b"events",
        "other.txt": b"not kept",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = results.of_archive(archive(files, prefix))
    assert found == results.of_folder(tmp_path)
    assert set(found) == {"evaluation.json", "history.json", "model-card.md", "tensorboard/events.1"}
    assert json.loads(found["history.json"]) == METRICS["history"]
    assert results.evaluation(found) == {"accuracy": 0.5}


def test_a_program_without_output_has_no_files(tmp_path):
    assert results.of_folder(tmp_path) == {}
    assert results.evaluation({}) is None


def test_a_damaged_archive_raises():
    with pytest.raises((tarfile.TarError, EOFError)):
        results.of_archive(io.BytesIO(archive({"evaluation.json": b"{}" * 500}).getvalue()[:60]))
