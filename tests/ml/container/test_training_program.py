"""The training program as a process under the SageMaker toolkit, and its artifact. test_several_hosts.py: on two hosts."""

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

CONTAINER = Path(__file__).resolve().parents[3] / "ml" / "container"
pytestmark = pytest.mark.slow


def clean_environment() -> dict[str, str]:
    """Return the environment of a child process, without SageMaker variables and with one thread."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SM_", "PYTHONPATH"))}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def write_job(base: Path, data: Path, hyperparameters: dict[str, str], channels: list[str]) -> None:
    """Write the files that SageMaker puts into a training container."""
    config = base / "input" / "config"
    config.mkdir(parents=True)
    (base / "input" / "data").mkdir()
    for channel in channels:
        (base / "input" / "data" / channel).symlink_to(data / channel)
    bundle = base / "source.tar.gz"
    with tarfile.open(bundle, "w:gz") as archive:
        for module in CONTAINER.glob("*.py"):
            archive.add(module, module.name)
    program = {"sagemaker_program": "train.py", "sagemaker_submit_directory": str(bundle)}
    contents = {
        "hyperparameters": {**program, **hyperparameters},
        "inputdataconfig": {channel: {"TrainingInputMode": "File"} for channel in channels},
        "resourceconfig": {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "instance_groups": [
                {
                    "instance_group_name": "homogeneousCluster",
                    "instance_type": "ml.m5.large",
                    "hosts": ["algo-1"],
                }
            ],
            "network_interface_name": "lo",
        },
    }
    for name, content in contents.items():
        (config / f"{name}.json").write_text(json.dumps(content))


def run_toolkit(base: Path) -> subprocess.CompletedProcess:
    """Run AWS's `train` command, the container's entrypoint."""
    environment = {
        **clean_environment(),
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_TRAINING_MODULE": "sagemaker_pytorch_container.training:main",
        "SM_STUDIO_LOCAL_MODE": "true",
    }
    command = [str(Path(sys.executable).with_name("train"))]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, cwd=base)


@pytest.fixture(scope="module")
def trained(digits, tmp_path_factory) -> tuple[Path, str]:
    """Train the digits with the toolkit. Returns the base folder and the log."""
    base = tmp_path_factory.mktemp("job")
    hyperparameters = {"architecture": "small_cnn", "image-size": "32", "epochs": "8", "mode": "from-scratch"}
    write_job(base, digits, hyperparameters, ["train", "valid", "test"])
    result = run_toolkit(base)
    assert result.returncode == 0, result.stdout + result.stderr
    return base, result.stdout


def test_the_toolkit_trains_the_digits(trained):
    base, log = trained
    assert (base / "output" / "success").exists()
    assert len(re.findall(r"^epoch=\d+ train:loss=", log, re.MULTILINE)) == 8
    # 0.948 to 0.96, depending on how the processor rounds. The test split has the hardest handwriting.
    assert float(re.search(r"test:accuracy=(\S+)", log)[1]) >= 0.93
    metrics = json.loads((base / "model" / "metrics.json").read_text())
    assert metrics["test:balanced_accuracy"] == pytest.approx(metrics["test:accuracy"], abs=0.02)
    evaluation = json.loads((base / "model" / "evaluation.json").read_text())
    assert sum(map(sum, evaluation["confusion_matrix"])) == evaluation["images"] == 269


def test_invalid_input_becomes_the_job_s_failure_reason(digits, tmp_path):
    write_job(tmp_path, digits, {"epochs": "8"}, ["train"])
    assert run_toolkit(tmp_path).returncode != 0
    reason = (tmp_path / "output" / "failure").read_text()
    assert reason == "the job has no channel 'valid' (it has: train); add it to InputDataConfig\n"


def test_the_artifact_serves_with_its_own_code(trained, digits, tmp_path):
    """Uses a `ray.serve` that does nothing, and imports neither torchvision nor the training code."""
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").touch()
    (tmp_path / "ray" / "serve.py").write_text(
        "def ingress(asgi):\n"
        "    def wrap(cls):\n"
        "        cls.bind = staticmethod(lambda: asgi)\n"
        "        return cls\n"
        "    return wrap\n"
        "def deployment(cls):\n"
        "    return cls\n"
    )
    script = (
        "import asyncio, sys, pathlib, app\n"
        "async def start():\n"
        "    async with app.app.router.lifespan_context(app.app):\n"
        "        return app.app.state.predictor\n"
        "predictor = asyncio.run(start())\n"
        "files = list(pathlib.Path(sys.argv[1]).glob('*/*.png'))\n"
        "answers = [predictor.predict(f.read_bytes(), 1)['predictions'][0]['label'] for f in files]\n"
        "print(sum(a == f.parent.name for a, f in zip(answers, files)) / len(files))\n"
        "print('torchvision' in sys.modules, 'train' in sys.modules)\n"
    )
    model = trained[0] / "model"
    environment = {**clean_environment(), "PYTHONPATH": f"{model}:{model / 'code'}:{tmp_path}"}
    result = subprocess.run(
        [sys.executable, "-c", script, str(digits / "test")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    accuracy, modules = result.stdout.splitlines()
    assert float(accuracy) == pytest.approx(json.loads((model / "metrics.json").read_text())["test:accuracy"])
    assert modules == "False False"
