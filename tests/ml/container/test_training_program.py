"""The training program as a process: under the SageMaker toolkit, on several hosts, and its artifact."""

import json
import os
import random
import re
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from efficientnet_lite import EfficientNetLite0
from predict import Predictor

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


DIGITS = "--image-size 16 --epochs 2 --batch-size 63 --optimizer sgd --learning-rate 0.02"


def run_hosts(
    data: Path,
    folder: Path,
    hosts: list[str],
    changes: dict[int, dict] | None = None,
    flags: Sequence[str] = DIGITS.split(),
):
    """Run train.py once per host, in parallel. Returns exit statuses, outputs and base folders."""
    processes, bases = [], []
    for rank, host in enumerate(hosts):
        base = folder / f"algo-{rank + 1}"
        base.mkdir(parents=True, exist_ok=True)
        environment = {
            **clean_environment(),
            "SAGEMAKER_BASE_DIR": str(base),
            "SM_HOSTS": json.dumps(hosts),
            "SM_CURRENT_HOST": host,
            "SM_NETWORK_INTERFACE_NAME": "lo",
            **{f"SM_CHANNEL_{name.upper()}": str(data / name) for name in ("train", "valid", "test")},
            **(changes or {}).get(rank, {}),
        }
        command = [sys.executable, str(CONTAINER / "train.py"), *flags]
        processes.append(
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        bases.append(base)
    try:
        outputs = [process.communicate(timeout=200) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], outputs, bases


@pytest.fixture
def hosts() -> list[str]:
    """Two random loopback addresses: all jobs use the same port, the toolkit's."""
    network = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}"
    return [f"{network}.1", f"{network}.2"]


def test_two_hosts_train_the_same_model_as_one(digits, tmp_path, hosts):
    _, _, [base] = run_hosts(digits, tmp_path / "single", ["127.0.0.1"])
    status, double, bases = run_hosts(digits, tmp_path / "double", hosts)
    assert status == [0, 0], double

    # Without communication, each rank would learn from, and count, half of every batch.
    one, two = (json.loads((b / "model" / "metrics.json").read_text()) for b in (base, bases[0]))
    for name in ("train:loss", "validation:loss", "test:loss"):
        assert two[name] == pytest.approx(one[name], abs=2e-3)
    assert two["history"][0]["train:loss"] == pytest.approx(one["history"][0]["train:loss"], abs=1e-4)
    evaluations = (json.loads((b / "model" / "evaluation.json").read_text()) for b in (base, bases[0]))
    counts = [sum(map(sum, found["confusion_matrix"])) for found in evaluations]
    assert counts == [269, 269]

    # Rank 0 prints and saves.
    assert "devices: 2 x cpu" in double[0][0]
    assert double[1][0] == ""
    assert not (bases[1] / "model").exists()


RECIPE = (
    "--augmentation trivial --random-erasing 0.3 --mixup 0.4 --cutmix 1 --label-smoothing 0.1 --class-balance weights "
    "--ema-decay 0.9 --clip-norm 1 --accumulation-steps 3 --patience 2"
)


def test_the_recipe_is_exact_over_hosts(digits, tmp_path, hosts):
    flags = f"{DIGITS} {RECIPE}".split()
    _, _, [base] = run_hosts(digits, tmp_path / "single", ["127.0.0.1"], flags=flags)
    status, double, bases = run_hosts(digits, tmp_path / "double", hosts, flags=flags)
    assert status == [0, 0], double
    one, two = (json.loads((b / "model" / "metrics.json").read_text()) for b in (base, bases[0]))
    assert two["history"][0]["train:loss"] == pytest.approx(one["history"][0]["train:loss"], abs=2e-4)
    for name in ("train:loss", "validation:loss", "test:loss"):
        assert two[name] == pytest.approx(one[name], abs=3e-3)


def test_hosts_with_different_data_are_refused(digits, tmp_path, hosts):
    changes = {1: {"SM_CHANNEL_VALID": str(digits / "train")}}
    status, outputs, _ = run_hosts(digits, tmp_path, hosts, changes)
    assert status == [1, 1]
    assert all("the hosts have different data" in stderr for _, stderr in outputs)


@pytest.fixture(scope="module")
def lite0(tmp_path_factory) -> Path:
    """A folder with random weights of EfficientNet-Lite0."""
    folder = tmp_path_factory.mktemp("lite0")
    torch.manual_seed(3)
    torch.save(EfficientNetLite0().state_dict(), folder / "efficientnet_lite0.pth")
    return folder


@pytest.mark.parametrize("mode", ["linear-probe", "fine-tuning"])
def test_two_hosts_report_the_metrics_of_the_exported_model(shades, lite0, tmp_path, hosts, mode):
    """BatchNorm's running statistics differ between the ranks until they are synchronized."""
    flags = (
        f"--architecture efficientnet_lite0 --mode {mode} --image-size 32 --epochs 2 --batch-size 8".split()
    )
    changes = {rank: {"SM_CHANNEL_WEIGHTS": str(lite0)} for rank in range(2)}
    status, outputs, bases = run_hosts(shades, tmp_path, hosts, changes, flags)
    assert status == [0, 0], outputs
    report = json.loads((bases[0] / "model" / "metrics.json").read_text())
    model = Predictor(bases[0] / "model")
    files = sorted((shades / "test").glob("*/*.png"))
    logits = torch.stack([model.logits(file.read_bytes()) for file in files])
    labels = torch.tensor([model.classes.index(file.parent.name) for file in files])
    assert report["test:accuracy"] == (logits.argmax(1) == labels).double().mean().item()
    assert report["test:loss"] == pytest.approx(
        torch.nn.functional.cross_entropy(logits, labels).item(), abs=1e-5
    )


def test_two_hosts_compute_the_features_of_one(shades, lite0, tmp_path, hosts):
    flags = [
        "--task",
        "features",
        "--architecture",
        "efficientnet_lite0",
        "--mode",
        "linear-probe",
        "--image-size",
        "32",
    ]
    changes = {rank: {"SM_CHANNEL_WEIGHTS": str(lite0)} for rank in range(2)}
    features = []
    for name, names in (("single", ["127.0.0.1"]), ("double", hosts)):
        for rank in range(len(names)):
            (tmp_path / name / f"algo-{rank + 1}" / "checkpoints").mkdir(parents=True)
        status, outputs, bases = run_hosts(shades, tmp_path / name, names, changes, flags)
        assert status == [0] * len(names), outputs
        features.append(
            [(bases[0] / "checkpoints" / f"{s}.npy").read_bytes() for s in ("train", "valid", "test")]
        )
    assert features[0] == features[1]
    assert not list((tmp_path / "double" / "algo-2" / "checkpoints").iterdir())
