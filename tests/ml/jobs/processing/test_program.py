"""The program of a data job, in a folder like that of its container."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

from ml.jobs import data
from ml.jobs.processing import program, start
from ml.jobs.processing.documents import Answer, Options, Request, settings_for_job
from ops.environment import Environment
from ops.paths import ROOT
from tests.conftest import BUCKET
from tests.ml.jobs.data.pictures import pictures

SOURCE = f"s3://{BUCKET}/sources/pets"
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}  # that are not named as their module
NAMES = [f"{s}/{c}/{n}.png" for s in ("train", "valid", "test") for c in ("cat", "dog") for n in "ab"]


@pytest.fixture
def container(account, dev: Environment, monkeypatch, tmp_path: Path) -> Path:
    """The folder /opt/ml/processing with a request and pictures."""
    monkeypatch.setattr(program, "Environment", lambda chosen: Environment(chosen, dev.session))
    root = tmp_path / "processing"
    (tmp_path / "output").mkdir()
    (root / "input/job").mkdir(parents=True)
    pictures(root / "input/source/pets", NAMES)
    request = Request(job="job-1", options=Options(source=SOURCE), settings=settings_for_job(dev.settings))
    (root / "input/job/job.json").write_text(request.model_dump_json())
    return root


def _answer(env: Environment) -> Answer:
    body = env.client("s3").get_object(Bucket=BUCKET, Key="results/data/job-1.json")["Body"].read()
    return Answer.model_validate_json(body)


def test_the_images_of_the_input_become_the_current_data_set(
    container: Path, dev: Environment, capsys
) -> None:
    assert program.main(container) == 0
    result = _answer(dev).result
    assert result is not None and (result.dataset, result.sent) == ("pets", 12)
    assert data.current(dev).hash == result.hash
    assert "uploading 12 of 12" in capsys.readouterr().out
    assert not (container.parent / "output/message").exists()


def test_a_refusal_is_the_answer_and_its_start_the_exit_message(container: Path, dev: Environment) -> None:
    for number in range(40):
        bad = container / "input/source/pets/train/cat" / f"{'x' * 60}-{number:02}.png"
        bad.write_text("no picture")
    assert program.main(container) == 1
    failure = _answer(dev).failure
    assert "40 problem(s)" in failure and failure.endswith("to leave them out.")
    message = (container.parent / "output/message").read_bytes()
    assert len(failure.encode()) > len(message) == 1024 and failure.encode().startswith(message)
    assert data.current(dev).dataset == "sample"


def test_progress_is_a_line_for_each_kind_and_for_the_end(capsys) -> None:
    progress = program.Printed()
    for done in range(1, 1001):
        progress("checking", done, 1000)
    progress("uploading", 1, 2000)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["checking 1 of 1,000", "checking 1,000 of 1,000", "uploading 1 of 2,000"]


def test_the_lock_has_what_the_stage_imports() -> None:
    lock = (ROOT / start.LOCK).read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    assert {DISTRIBUTIONS.get(name, name).lower() for name in start.NEEDED} <= locked
    imported = {
        name.split(".")[0]
        for folder in ("ml/jobs/data", "ml/jobs/processing")
        for path in (ROOT / folder).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    third_party = imported - set(sys.stdlib_module_names) - {"ml", "ops", "botocore"}
    assert third_party <= set(start.NEEDED)


def test_packages_come_from_the_archive_without_internet_access(monkeypatch, tmp_path: Path) -> None:
    commands: list[list[str]] = []

    class Done:
        returncode, stderr = 1, "ERROR: no such wheel\n"

    monkeypatch.setattr(start.subprocess, "run", lambda command, **_: commands.append(command) or Done())
    monkeypatch.setattr(start, "PROCESSING", tmp_path / "processing")
    monkeypatch.setattr(start, "REPOSITORY", tmp_path / "repository")
    (tmp_path / "output").mkdir()
    (tmp_path / "repository/wheels").mkdir(parents=True)
    with pytest.raises(SystemExit):
        start.install()
    assert {"--no-index", f"--find-links={tmp_path}/repository/wheels", "--require-hashes"} <= set(
        commands[0]
    )
    assert (tmp_path / "output/message").read_text() == (
        "The packages of the data job could not be installed: ERROR: no such wheel"
    )
    (tmp_path / "repository/wheels").rmdir()
    with pytest.raises(SystemExit):
        start.install()
    assert "--no-index" not in commands[1]


def test_the_request_is_plain_json(container: Path) -> None:
    stored = json.loads((container / "input/job/job.json").read_text())
    assert stored["options"] == {"source": SOURCE, "skip_bad": False, "split": ""}
