"""The scripts of a workbench: what counts as use, and a notebook instance that starts with them."""

import base64
import datetime
import http.client
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from notebooks_kit import SECONDS, Browser, role, stable
from notebooks_kit import script as hook

SCRIPTS = Path(__file__).parents[2] / "terraform/modules/workbench/scripts"
SCRIPT = SCRIPTS / "stop_when_idle.py"
LONG_SECONDS = 300.0  # for a virtual environment and its packages on a busy machine
STARTED = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.timezone.utc)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("stop_when_idle", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kernel(state: str, moment: str) -> dict:
    return {"execution_state": state, "last_activity": moment}


@pytest.mark.parametrize(
    ("kernels", "terminals", "minutes"),
    [
        ([], [], 0),  # nothing was opened: since the start
        ([kernel("idle", "2026-01-01T11:00:00.000000Z")], [], 0),  # of before a restart
        ([kernel("idle", "2026-01-01T12:10:00.000000Z")], [], 10),
        ([kernel("idle", "2026-01-01T12:10:00Z")], [{"last_activity": "2026-01-01T12:20:00Z"}], 20),
        ([], [{"name": "1"}], 0),  # Jupyter does not say when
    ],
)
def test_the_latest_activity_counts(script, kernels, terminals, minutes):
    assert script.last_use(kernels, terminals, STARTED) == STARTED + datetime.timedelta(minutes=minutes)


def test_what_computes_is_not_idle(script):
    long_ago = "2026-01-01T11:00:00Z"
    used = script.last_use([kernel("idle", long_ago), kernel("busy", long_ago)], [], STARTED)
    assert datetime.datetime.now(datetime.timezone.utc) - used < datetime.timedelta(seconds=60)


@pytest.mark.parametrize(
    "missed", [TimeoutError("timed out"), ValueError("no JSON"), http.client.BadStatusLine("none")]
)
@pytest.mark.parametrize(("misses", "stopped"), [(1, False), (90, True)])
def test_an_answer_that_is_missed_stops_nothing_that_was_in_use(script, monkeypatch, missed, misses, stopped):
    """Of two hours a kernel computes for the first; then Jupyter does not answer for some minutes."""
    clock = SimpleNamespace(minute=0)
    calls = []

    class Now(datetime.datetime):
        @classmethod
        def now(cls, zone):
            return STARTED + datetime.timedelta(minutes=clock.minute)

    def ask(path):
        if 60 <= clock.minute < 60 + misses:
            raise missed
        return [kernel("busy", "2026-01-01T11:00:00Z")] if path == "/api/kernels" else []

    def sleep(seconds):
        clock.minute += 1
        if clock.minute == 121:
            raise KeyboardInterrupt

    monkeypatch.setattr(script.datetime, "datetime", Now)
    monkeypatch.setattr(script, "ask", ask)
    monkeypatch.setattr(script, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(
        script, "subprocess", SimpleNamespace(run=lambda *_, **__: calls.append(clock.minute))
    )
    with pytest.raises(KeyboardInterrupt):
        script.main("name", 60)
    assert calls == ([119, 120] if stopped else [])


def rendered(folder: Path, file: str, **variables) -> str:
    """A script as Terraform makes it."""
    given = ", ".join(f"{key} = {value}" for key, value in variables.items())
    asked = f'base64encode(templatefile("{SCRIPTS / file}", {{ {given} }}))'
    said = subprocess.run(
        ["terraform", "console"], input=asked, cwd=folder, capture_output=True, text=True, check=True
    )
    return base64.b64decode(said.stdout.strip().strip('"')).decode()


def archive(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "-").replace("_DOT_", "."))
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    return packed.getvalue()


@pytest.mark.slow
def test_an_environment_that_fails_is_told_by_its_kernel(until, tmp_path):
    """Whoever opens a notebook else sees no kernel and no reason."""
    home, programs = tmp_path / "home", tmp_path / "bin"
    (home / "classifier").mkdir(parents=True)  # unpacked before
    (home / "classifier" / "requirements-workbench.lock").write_text("no-such-package-anywhere==1\n")
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    script = rendered(
        tmp_path,
        "prepare.sh",
        directory='"classifier"',
        internet="false",
        variables='{ INVOKE_ENV = "dev" }',
        uri='"s3://bucket/code/repository.tar.gz"',
    )
    places = {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{programs}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", script], env={**os.environ, **places}, check=True)
    kernel = home / ".local/share/jupyter/kernels/classifier/kernel.json"
    log = home / "classifier" / "prepare.log"
    until(lambda: kernel.exists() and kernel.stat().st_size, LONG_SECONDS)
    told = json.loads(kernel.read_text())
    assert told["display_name"] == "Python (classifier: its packages failed, see prepare.log)", (
        log.read_text()
    )
    assert told["env"] == {"INVOKE_ENV": "dev"}
    assert "no-such-package-anywhere" in log.read_text() and not (home / "classifier/.venv/ready").exists()


def test_an_instance_starts_with_the_repository_and_a_kernel_for_it_and_stops_when_idle(
    embedded_aws, until, tmp_path
):
    name, bucket = "scripted", "scripted-repository"
    sagemaker, s3 = embedded_aws.client("sagemaker"), embedded_aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    packed = archive(requirements__workbench_DOT_lock="boto3\n", mine_DOT_py="VALUE = 41\n")
    s3.put_object(Bucket=bucket, Key="code/repository.tar.gz", Body=packed)
    prepare = rendered(
        tmp_path,
        "prepare.sh",
        directory='"classifier"',
        internet="false",
        variables='{ INVOKE_ENV = "dev" }',
        uri=f'"s3://{bucket}/code/repository.tar.gz"',
    )
    start = rendered(
        tmp_path,
        "on_start.sh",
        idle_minutes=60,
        name=f'"{name}"',
        region='"us-east-1"',
        prepare=f'base64decode("{base64.b64encode(prepare.encode()).decode()}")',
        stop=f'file("{SCRIPT}")',
    )
    sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=name, OnStart=hook(start)
    )
    sagemaker.create_notebook_instance(
        NotebookInstanceName=name,
        InstanceType="ml.t3.medium",
        LifecycleConfigName=name,
        RoleArn=role(embedded_aws, name, "s3:GetObject", "sagemaker:StopNotebookInstance"),
    )
    described = stable(sagemaker, name, until)
    assert described["NotebookInstanceStatus"] == "InService", described.get("FailureReason")
    url = sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=name)["AuthorizedUrl"]
    browser = Browser(url)
    until(lambda: "classifier" in browser.ask("GET", "kernelspecs")["kernelspecs"], LONG_SECONDS)
    there = "import os, sys; os.chdir('classifier'); sys.path.insert(0, '')"
    code = f"{there}; import boto3, mine; print(sys.prefix, mine.VALUE, os.environ['INVOKE_ENV'])"
    prefix, value, environment = browser.run(code, kernel="classifier").split()
    assert prefix.endswith("SageMaker/classifier/.venv") and (value, environment) == ("41", "dev")
    count = f"subprocess.run(['pgrep', '-cf', 'python3 - {name} 60'], stdout=-1, text=True).stdout"
    assert int(browser.run(f"import subprocess; print({count})")) >= 1
    # The same program, with less patience than SageMaker's least; a kernel takes its children with it.
    browser.run(
        f"import subprocess; open('watch.py', 'w').write({SCRIPT.read_text()!r}); "
        f"subprocess.run(['bash', '-c', 'python3 - {name} 0.03 < watch.py > watch.log 2>&1 &'])"
    )
    until(
        lambda: (
            sagemaker.describe_notebook_instance(NotebookInstanceName=name)["NotebookInstanceStatus"]
            == "Stopped"
        ),
        SECONDS,
    )
