"""Training on this machine: one process at a time, a clean stop, failures reported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ml.jobs.launchers import here
from ml.runner.job import Status
from ops.errors import OperatorError

NAME = "image-classifier-dev-train-here-abcdefg"


@pytest.fixture
def launcher(dev, monkeypatch, tmp_path):
    """The launcher. `launcher.program(text)` sets the program that runs instead of ml/runner."""
    monkeypatch.setattr(here, "WORK", tmp_path)
    monkeypatch.setattr(here, "ROOT", tmp_path)
    made = here.HereLauncher(dev)
    package = tmp_path / "ml"
    (package / "runner").mkdir(parents=True)
    (package / "__init__.py").touch()
    made.program = lambda text: (package / "runner" / "__main__.py").write_text(f"import sys\n{text}")
    return made


@pytest.fixture
def write_status(dev):
    """Return a function that writes the job's status to S3, as the runner does."""

    def write(**fields) -> None:
        key, body = f"training/{NAME}/status.json", Status(**fields).to_json().encode()
        dev.client("s3").put_object(Bucket=dev.data_bucket, Key=key, Body=body)

    return write


def run(launcher, training, on_line=lambda line: None):
    return launcher.run(training, NAME, lambda text, important=False: None, on_line)


def test_a_training_returns_its_outcome_and_removes_its_folder(launcher, training, write_status, tmp_path):
    launcher.program(
        "import pathlib\npathlib.Path(sys.argv[3]).mkdir(parents=True)\nprint('job', sys.argv[1])"
    )
    write_status(
        status="Completed",
        metrics={"test:accuracy": 0.9},
        training_seconds=5,
        billable_seconds=6,
        machine_type="2 × x86_64",
    )
    lines: list[str] = []
    outcome = run(launcher, training, lines.append)
    assert (outcome.metrics, outcome.seconds) == ({"test:accuracy": 0.9}, 5)
    assert lines == [f"job s3://{training.env.data_bucket}/code/jobs/{NAME}/job.json"]
    assert not (tmp_path / "here" / NAME).exists()


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        (
            "sys.exit(1)",
            {"status": "Failed", "failure": "channel valid is empty"},
            r"failed on this machine: channel valid is empty\. Fix",
        ),
        ("print('no space left'); sys.exit(1)", {}, r"failed on this machine: no space left\. Fix"),
        ("sys.exit(3)", None, r"failed on this machine: exit status 3\. Fix"),
        (
            "sys.exit(75)",
            {"status": "Interrupted"},
            "was stopped: run the same command again to resume from its checkpoint",
        ),
    ],
)
def test_a_failure_is_reported_with_its_reason(launcher, training, write_status, text, status, message):
    launcher.program(text)
    if status is not None:
        write_status(**status)
    with pytest.raises(OperatorError, match=message):
        run(launcher, training)


def test_a_failed_training_removes_its_folder(launcher, training, tmp_path):
    launcher.program("import pathlib\npathlib.Path(sys.argv[3]).mkdir(parents=True)\nsys.exit(1)")
    with pytest.raises(OperatorError):
        run(launcher, training)
    assert not (tmp_path / "here" / NAME).exists()


def test_ctrl_c_waits_until_the_program_has_written_its_checkpoint(launcher, training, tmp_path):
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


def test_a_second_command_does_not_train_the_same_job(launcher, training, write_status):
    launcher.program("print('training')")
    write_status(status="Completed")
    refused: list[str] = []

    def second(line: str) -> None:
        try:
            run(launcher, training)
        except OperatorError as error:
            refused.append(str(error))

    run(launcher, training, second)
    assert refused == [
        f"{NAME} is already training on this machine, or is stopping: wait until it has ended."
    ]


def test_the_program_of_a_killed_command_still_holds_the_lock(launcher, training, tmp_path):
    launcher.program("print('training', flush=True); sys.stdin.readline(); sys.exit(75)")
    with here._exclusive_lock(NAME) as lock:
        process = subprocess.Popen(
            [sys.executable, "-m", "ml.runner"],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[lock],
        )
        assert process.stdout.readline() == b"training\n"
    with (
        pytest.raises(OperatorError, match="is already training on this machine"),
        here._exclusive_lock(NAME),
    ):
        pass
    process.communicate(b"\n")
    with here._exclusive_lock(NAME):
        pass


def test_another_machine_has_another_job(launcher, training, monkeypatch):
    inputs = launcher.fingerprint_inputs(training)
    monkeypatch.setattr(here.socket, "gethostname", lambda: "another")
    assert launcher.fingerprint_inputs(training) != inputs


def test_the_runner_gets_the_session_s_credentials_and_nothing_else_of_the_shell(
    launcher, training, write_status, monkeypatch
):
    theirs = (
        "AWS_DEFAULT_OUTPUT",
        "AWS_ROLE_SESSION_NAME",
        "PYTHONPATH",
        "RANK",
        "SM_MODEL_DIR",
        "TORCHELASTIC_RUN_ID",
    )
    for name in theirs:
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setattr(launcher._env, "child_variables", lambda: {"AWS_ACCESS_KEY_ID": "of the session"})
    names = (*theirs, "AWS_ACCESS_KEY_ID")
    launcher.program(f"import os\nprint({{name: os.environ.get(name) for name in {names!r}}})")
    write_status(status="Completed", metrics={}, training_seconds=5, billable_seconds=6, machine_type="a")
    lines: list[str] = []
    run(launcher, training, lines.append)
    assert lines == [str({**dict.fromkeys(theirs), "AWS_ACCESS_KEY_ID": "of the session"})]
