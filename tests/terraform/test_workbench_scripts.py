"""The scripts of a workbench: when one is idle, and a notebook instance that starts with the scripts."""

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
INSTALL_SECONDS = 300.0  # for a virtual environment and its packages on a busy machine
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
        ([], [], 0),
        ([kernel("idle", "2026-01-01T11:00:00.000000Z")], [], 0),  # before the start
        ([kernel("idle", "2026-01-01T12:10:00.000000Z")], [], 10),
        ([kernel("idle", "2026-01-01T12:10:00Z")], [{"last_activity": "2026-01-01T12:20:00Z"}], 20),
        ([], [{"name": "1"}], 0),  # Jupyter reports no time
    ],
)
def test_last_activity_returns_the_latest_time(script, kernels, terminals, minutes):
    assert script.last_activity(kernels, terminals, STARTED) == STARTED + datetime.timedelta(minutes=minutes)


def test_a_busy_kernel_is_active_now(script):
    long_ago = "2026-01-01T11:00:00Z"
    active = script.last_activity([kernel("idle", long_ago), kernel("busy", long_ago)], [], STARTED)
    assert datetime.datetime.now(datetime.timezone.utc) - active < datetime.timedelta(seconds=60)


@pytest.mark.parametrize(
    "error", [TimeoutError("timed out"), ValueError("no JSON"), http.client.BadStatusLine("none")]
)
@pytest.mark.parametrize(("failures", "stops"), [(1, []), (90, [119, 120])])
def test_failed_requests_do_not_count_as_idle_time(script, monkeypatch, error, failures, stops):
    """A kernel is busy in the first of two hours; then requests to Jupyter fail for some minutes."""
    clock = SimpleNamespace(minute=0)
    calls = []

    class Now(datetime.datetime):
        @classmethod
        def now(cls, zone):
            return STARTED + datetime.timedelta(minutes=clock.minute)

    def get(path):
        if 60 <= clock.minute < 60 + failures:
            raise error
        return [kernel("busy", "2026-01-01T11:00:00Z")] if path == "/api/kernels" else []

    def sleep(seconds):
        clock.minute += 1
        if clock.minute == 121:
            raise KeyboardInterrupt

    monkeypatch.setattr(script.datetime, "datetime", Now)
    monkeypatch.setattr(script, "get", get)
    monkeypatch.setattr(script, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(
        script, "subprocess", SimpleNamespace(run=lambda *_, **__: calls.append(clock.minute))
    )
    with pytest.raises(KeyboardInterrupt):
        script.main("name", 60)
    assert calls == stops


def rendered(folder: Path, file: str, **variables) -> str:
    """Return a script as Terraform renders it."""
    values = ", ".join(f"{key} = {value}" for key, value in variables.items())
    expression = f'base64encode(templatefile("{SCRIPTS / file}", {{ {values} }}))'
    done = subprocess.run(
        ["terraform", "console"], input=expression, cwd=folder, capture_output=True, text=True, check=True
    )
    return base64.b64decode(done.stdout.strip().strip('"')).decode()


def archive(files: dict[str, str]) -> bytes:
    """Return a tar.gz of files, by name."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    return packed.getvalue()


@pytest.mark.slow
def test_the_kernel_s_name_reports_that_packages_failed_to_install(until, tmp_path):
    """Otherwise a user sees no kernel and no reason."""
    home, programs = tmp_path / "home", tmp_path / "bin"
    (home / "classifier").mkdir(parents=True)  # unpacked at an earlier start
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
    until(lambda: kernel.exists() and kernel.stat().st_size, INSTALL_SECONDS)
    installed = json.loads(kernel.read_text())
    name = "Python (classifier: installing packages failed, see prepare.log)"
    assert installed["display_name"] == name, log.read_text()
    assert installed["env"] == {"INVOKE_ENV": "dev"}
    assert "no-such-package-anywhere" in log.read_text() and not (home / "classifier/.venv/ready").exists()


def test_a_notebook_instance_starts_with_the_repository_and_its_kernel_and_stops_when_idle(
    embedded_aws, until, tmp_path
):
    name, bucket = "scripted", "scripted-repository"
    sagemaker, s3 = embedded_aws.client("sagemaker"), embedded_aws.client("s3")
    s3.create_bucket(Bucket=bucket)
    packed = archive({"requirements-workbench.lock": "boto3\n", "mine.py": "VALUE = 41\n"})
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
    until(lambda: "classifier" in browser.ask("GET", "kernelspecs")["kernelspecs"], INSTALL_SECONDS)
    enter = "import os, sys; os.chdir('classifier'); sys.path.insert(0, '')"
    code = f"{enter}; import boto3, mine; print(sys.prefix, mine.VALUE, os.environ['INVOKE_ENV'])"
    prefix, value, environment = browser.run(code, kernel="classifier").split()
    assert prefix.endswith("SageMaker/classifier/.venv") and (value, environment) == ("41", "dev")
    count = f"subprocess.run(['pgrep', '-cf', 'python3 - {name} 60'], stdout=-1, text=True).stdout"
    assert int(browser.run(f"import subprocess; print({count})")) >= 1
    # The same program with a shorter time, under a shell of its own: children of a kernel end with it.
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
