"""Two hosts train the model of one, and report the metrics of what they export."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ml.container.conftest import CONTAINER
from tests.ml.container.test_exported import FLAGS, LITE0, check_exported, save_weights
from tests.ml.container.test_training_program import clean_environment

pytestmark = pytest.mark.slow

# A higher learning rate amplifies rounding errors, which differ between one host and two: at 0.02, to 0.002 of the loss.
DIGITS = "--image-size 16 --epochs 2 --batch-size 63 --optimizer sgd --learning-rate 0.005"
RECIPE = (
    "--augmentation trivial --random-erasing 0.3 --mixup 0.4 --cutmix 1 --label-smoothing 0.1 --class-balance weights "
    "--ema-decay 0.9 --clip-norm 1 --accumulation-steps 3 --patience 2"
)
# Batch normalization has other running statistics on each rank, unless they are averaged before evaluation.
EXPORTED = {
    "resnet18": "resnet18 --mode from-scratch",
    "linear-probe": f"{LITE0} --mode linear-probe",
    "gradual-unfreezing": f"{LITE0} --mode gradual-unfreezing",
    "fine-tuning": f"{LITE0} --mode fine-tuning",
    "small_cnn": "small_cnn --mode from-scratch",
}
ON_BOTH = ("plain", "recipe", "features")
"""Cases that one host runs, too."""

# Runs every case in one process, which imports torch once.
PROGRAM = """
import contextlib, io, json, os, sys, train
results = {}
for name, (variables, flags) in json.loads(sys.argv[1]).items():
    os.environ.update(variables)
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        status = train.main(flags)
    results[name] = (status, out.getvalue(), error.getvalue())
print(json.dumps(results))
sys.stdout.flush()
os._exit(0)
"""


@dataclass(frozen=True)
class Ran:
    """What a host did in a case.

    base: SAGEMAKER_BASE_DIR.
    """

    base: Path
    status: int
    out: str
    error: str

    def result(self, name: str) -> dict:
        """Return the content of a JSON file of the artifact."""
        return json.loads((self.base / "model" / name).read_text())


@dataclass(frozen=True)
class Case:
    """A training: the folder with its splits, and its flags. valid: split `valid` of the last host."""

    data: Path
    flags: str
    valid: str = "valid"


@pytest.fixture(scope="module")
def cases(digits, shades) -> dict[str, Case]:
    return {
        "plain": Case(digits, DIGITS),
        "recipe": Case(digits, f"{DIGITS} {RECIPE}"),
        "features": Case(
            shades, f"--task features --architecture {LITE0} --mode linear-probe --image-size 32"
        ),
        "other data": Case(digits, DIGITS, valid="train"),
        **{name: Case(shades, f"{FLAGS} --epochs 2 --architecture {a}") for name, a in EXPORTED.items()},
    }


def run(cases: dict[str, Case], count: int, folder: Path) -> list[dict[str, Ran]]:
    """Run cases on hosts at the same time. Returns what each host did, by case."""
    save_weights(folder / "weights", LITE0)
    network = f"127.{random.randint(1, 254)}"  # all jobs use the same port, the toolkit's
    processes = []
    for rank in range(count):
        jobs = {}
        for number, (name, case) in enumerate(cases.items()):
            hosts = [f"{network}.{number}.{n + 1}" for n in range(count)]
            base = folder / f"{name}-{rank}"
            (base / "checkpoints").mkdir(parents=True)
            splits = {"train": "train", "valid": case.valid if rank else "valid", "test": "test"}
            variables = {
                "SAGEMAKER_BASE_DIR": str(base),
                "SM_HOSTS": json.dumps(hosts),
                "SM_CURRENT_HOST": hosts[rank],
                **{f"SM_CHANNEL_{k.upper()}": str(case.data / split) for k, split in splits.items()},
            }
            jobs[name] = (variables, case.flags.split())
        fixed = {"SM_NETWORK_INTERFACE_NAME": "lo", "SM_CHANNEL_WEIGHTS": str(folder / "weights")}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, json.dumps(jobs)],
                env=clean_environment() | fixed,
                cwd=CONTAINER,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        outputs = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * count, outputs
    results = [json.loads(out.splitlines()[-1]) for out, _ in outputs]
    return [
        {name: Ran(folder / f"{name}-{rank}", *found) for name, found in results[rank].items()}
        for rank in range(count)
    ]


@pytest.fixture(scope="module")
def one(cases, tmp_path_factory) -> dict[str, Ran]:
    """What one host did."""
    (host,) = run({name: cases[name] for name in ON_BOTH}, 1, tmp_path_factory.mktemp("one"))
    assert [host[name].status for name in ON_BOTH] == [0] * len(ON_BOTH), host
    return host


@pytest.fixture(scope="module")
def two(cases, tmp_path_factory) -> list[dict[str, Ran]]:
    """What each of two hosts did."""
    return run(cases, 2, tmp_path_factory.mktemp("two"))


@pytest.mark.parametrize("case", ["plain", "recipe"])
def test_two_hosts_train_the_same_model_as_one(one, two, case):
    """Without communication, each rank would learn from, and count, half of every batch."""
    first, second = two[0][case], two[1][case]
    assert (first.status, second.status) == (0, 0), (first, second)
    expected, found = (ran.result("metrics.json") for ran in (one[case], first))
    for name in ("train:loss", "validation:loss", "test:loss"):
        assert found[name] == pytest.approx(expected[name], abs=1e-4)
    assert found["history"][0]["train:loss"] == pytest.approx(expected["history"][0]["train:loss"], abs=1e-5)
    for ran in (one[case], first):
        assert sum(map(sum, ran.result("evaluation.json")["confusion_matrix"])) == 269

    # Rank 0 prints and saves.
    assert "devices: 2 x cpu" in first.out
    assert second.out == ""
    assert not (second.base / "model").exists()


def test_two_hosts_compute_the_features_of_one(one, two):
    first, second = two[0]["features"], two[1]["features"]
    assert (first.status, second.status) == (0, 0), (first, second)
    expected, found = (
        [(ran.base / "checkpoints" / f"{split}.npy").read_bytes() for split in ("train", "valid", "test")]
        for ran in (one["features"], first)
    )
    assert found == expected
    assert not list((second.base / "checkpoints").iterdir())


def test_hosts_with_different_data_are_refused(two):
    for host in two:
        assert host["other data"].status == 1
        assert "the hosts have different data" in host["other data"].error


@pytest.mark.parametrize("case", EXPORTED)
def test_the_artifact_of_two_hosts_has_the_reported_metrics(shades, two, case):
    assert [host[case].status for host in two] == [0, 0], [host[case] for host in two]
    assert "devices: 2 x cpu" in two[0][case].out
    check_exported(two[0][case].base / "model", shades / "test")
