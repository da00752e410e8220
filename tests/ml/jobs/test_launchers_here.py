"""Training on the machine one sits at: one process at a time, stopped in order, explained when it fails."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ml.jobs import job_inputs as program
from ml.jobs import search as tune
from ml.jobs.launchers import Training, here
from ml.runner.job import Status
from ops.aws import client
from ops.errors import OperatorError

NAME = "image-classifier-dev-train-here-abcdefg"


@pytest.fixture
def training(account, dev, foundation, manifest) -> Training:
    source = program.Source(f"s3://{foundation.bucket}/code/abc/source.tar.gz", "abc")
    tuned = tune.Result("search", {}, manifest.hash, "sample", "best", 0.9, {"learning-rate": "0.01"})
    return Training(dev, foundation, manifest, source, tuned, 1)


@pytest.fixture
def launcher(dev, foundation, monkeypatch, tmp_path):
    """`launcher.program(text)`: what runs in place of ml/runner, which is given the job's address and a folder."""
    monkeypatch.setattr(here, "WORK", tmp_path)
    monkeypatch.setattr(here, "ROOT", tmp_path)
    made = here.HereLauncher(dev, foundation)
    package = tmp_path / "ml"
    (package / "runner").mkdir(parents=True)
    (package / "__init__.py").touch()
    made.program = lambda text: (package / "runner" / "__main__.py").write_text(f"import sys\n{text}")
    return made


@pytest.fixture
def leave(dev, foundation):
    def status(**told) -> None:
        key, body = f"training/{NAME}/status.json", Status(**told).to_json().encode()
        client("s3", dev.region).put_object(Bucket=foundation.bucket, Key=key, Body=body)

    return status


def run(launcher, training, on_line=lambda line: None):
    return launcher.run(training, NAME, lambda text, important=False: None, on_line)


def test_a_training_ends_with_its_outcome_and_no_folder(launcher, training, leave, tmp_path):
    launcher.program(
        "import pathlib\npathlib.Path(sys.argv[3]).mkdir(parents=True)\nprint('job', sys.argv[1])"
    )
    leave(
        status="Completed",
        metrics={"test:accuracy": 0.9},
        training_seconds=5,
        billable_seconds=6,
        machine_type="2 × x86_64",
    )
    lines: list[str] = []
    outcome = run(launcher, training, lines.append)
    assert (outcome.metrics, outcome.seconds) == ({"test:accuracy": 0.9}, 5)
    assert lines == [f"job s3://{training.foundation.bucket}/code/jobs/{NAME}/job.json"]
    assert not (tmp_path / "here" / NAME).exists()


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        (
            "sys.exit(1)",
            {"status": "Failed", "failure": "channel valid is empty"},
            "failed here: channel valid is empty. Mend",
        ),
        ("print('no space left'); sys.exit(1)", {}, "failed here: no space left. Mend"),
        ("sys.exit(3)", None, "failed here: exit status 3. Mend"),
        (
            "sys.exit(75)",
            {"status": "Interrupted"},
            "was stopped: the same command goes on from its checkpoint",
        ),
    ],
)
def test_an_end_without_a_model_is_explained(launcher, training, leave, text, status, told):
    launcher.program(text)
    if status is not None:
        leave(**status)
    with pytest.raises(OperatorError, match=told):
        run(launcher, training)


def test_what_a_failure_fetched_does_not_stay(launcher, training, tmp_path):
    launcher.program("import pathlib\npathlib.Path(sys.argv[3]).mkdir(parents=True)\nsys.exit(1)")
    with pytest.raises(OperatorError):
        run(launcher, training)
    assert not (tmp_path / "here" / NAME).exists()


def test_ctrl_c_lets_the_program_leave_its_checkpoint(launcher, training, tmp_path):
    marker = tmp_path / "stopped"
    launcher.program(
        "import pathlib, signal, threading\nstop = threading.Event()\n"
        "signal.signal(signal.SIGTERM, lambda *_: stop.set())\nprint('training', flush=True)\nstop.wait()\n"
        f"pathlib.Path({str(marker)!r}).touch()"
    )

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(launcher, training, interrupt)
    assert marker.exists()


def test_a_second_command_does_not_train_the_same_beside_the_first(launcher, training, leave):
    launcher.program("print('training')")
    leave(status="Completed")
    refused: list[str] = []

    def second(line: str) -> None:
        try:
            run(launcher, training)
        except OperatorError as error:
            refused.append(str(error))

    run(launcher, training, second)
    assert refused == [
        f"{NAME} is being trained on this machine already, or is just being stopped: wait for its end."
    ]


def test_a_command_that_was_killed_leaves_nobody_to_train_beside(launcher, training, tmp_path):
    """Its program holds the lock as well."""
    launcher.program("print('training', flush=True); sys.stdin.readline(); sys.exit(75)")
    with here._alone(NAME) as lock:
        process = subprocess.Popen(
            [sys.executable, "-m", "ml.runner"],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[lock],
        )
        assert process.stdout.readline() == b"training\n"
    with pytest.raises(OperatorError, match="is being trained on this machine already"), here._alone(NAME):
        pass
    process.communicate(b"\n")
    with here._alone(NAME):
        pass


def test_a_machine_s_trainings_are_its_own(launcher, training, monkeypatch):
    mine = launcher.parts(training)
    monkeypatch.setattr(here.socket, "gethostname", lambda: "another")
    assert launcher.parts(training) != mine
