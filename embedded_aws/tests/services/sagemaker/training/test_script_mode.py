"""Programs that are written for AWS's containers run unchanged, and change nothing on this machine."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path

import pytest

import wheels_kit
from embedded_aws.processes.isolation.container import refusal
from embedded_aws.processes.supervisor import Supervisor
from training_kit import Training, channel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(refusal(Supervisor())), reason="this system does not allow namespaces"),
]

FILES = {"requirements.txt": wheels_kit.REQUIREMENTS.encode(), wheels_kit.FILE: wheels_kit.wheel()}

LITERAL_PATHS = """
import argparse, json, os, pathlib

parser = argparse.ArgumentParser()
parser.add_argument("--train", default="/opt/ml/input/data/train")
parser.add_argument("--model-dir", default="/opt/ml/model")
parser.add_argument("--output", default="/opt/ml/output/data")
parser.add_argument("--epochs", type=int, default=1)
args = parser.parse_args()

samples = sorted(path.name for path in pathlib.Path(args.train).iterdir())
variables = {name: os.environ[name] for name in ("SM_MODEL_DIR", "SM_CHANNEL_TRAIN", "SM_MODULE_DIR", "PWD")
             if name in os.environ}
with open(os.path.join(args.model_dir, "model.json"), "w") as file:
    json.dump({"samples": samples, "epochs": args.epochs, "variables": variables}, file)
with open(args.output + "/notes.txt", "w") as file:
    file.write("noted")
"""

# In the style of AWS's example for MNIST: the structure, the parameters and their defaults.
MNIST = """
import argparse, json, logging, os, sys
import torch, torch.nn as nn, torch.nn.functional as F, torch.optim as optim
import embedded_aws_sample

logger = logging.getLogger(__name__)
logger.setLevel(logging.DEBUG)
logger.addHandler(logging.StreamHandler(sys.stdout))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, kernel_size=5)
        self.fc = nn.Linear(2 * 12 * 12, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv(x), 2))
        return F.log_softmax(self.fc(x.view(-1, 288)), dim=1)


def train(args):
    is_distributed = len(args.hosts) > 1 and args.backend is not None
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if args.num_gpus > 0 else "cpu")
    with open(os.path.join(args.data_dir, "labels.json")) as f:
        labels = torch.tensor(json.load(f))
    images = torch.rand(len(labels), 1, 28, 28)
    model = nn.DataParallel(Net().to(device))
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
    for epoch in range(1, args.epochs + 1):
        optimizer.zero_grad()
        loss = F.nll_loss(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        logger.info("Train Epoch: {} Loss: {:.6f}".format(epoch, loss.item()))
    with open(os.path.join(args.model_dir, "model.pth"), "wb") as f:
        torch.save(model.cpu().state_dict(), f)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10, metavar="N")
    parser.add_argument("--lr", type=float, default=0.01, metavar="LR")
    parser.add_argument("--momentum", type=float, default=0.5, metavar="M")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--backend", type=str, default=None)
    parser.add_argument("--hosts", type=list, default=json.loads(os.environ["SM_HOSTS"]))
    parser.add_argument("--current-host", type=str, default=os.environ["SM_CURRENT_HOST"])
    parser.add_argument("--model-dir", type=str, default=os.environ["SM_MODEL_DIR"])
    parser.add_argument("--data-dir", type=str, default=os.environ["SM_CHANNEL_TRAINING"])
    parser.add_argument("--num-gpus", type=int, default=os.environ["SM_NUM_GPUS"])
    train(parser.parse_args())
"""

# Tries to change what is not the job's own. Prints what succeeded.
INTRUDER = """
import os, sys
written = []
for path in PATHS:
    try:
        open(os.path.join(path, "intruder"), "w").close()
        written.append(path)
    except OSError:
        pass
print(os.path.exists("/tmp/intruder.mark"), file=open("/opt/ml/model/saw-another", "w"))
open("/tmp/intruder.mark", "w").close()
open("/opt/ml/model/written", "w").write(repr(written))
open("/opt/ml/model/home", "w").write(repr(os.listdir(HOME) if os.path.isdir(HOME) else []))
"""


@pytest.fixture(scope="module")
def work(embedded_aws) -> Training:
    return Training(embedded_aws)


def test_a_program_with_literal_paths_leaves_its_model_in_s3_and_nothing_on_this_machine(
    work: Training,
) -> None:
    before = os.path.exists("/opt/ml")
    work.put("literal/train/a.txt", b"a")
    job = work.run(
        LITERAL_PATHS,
        {"epochs": "3"},
        InputDataConfig=[channel("train", f"s3://{work.bucket}/literal/train/")],
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    model = work.archive(job["ModelArtifacts"]["S3ModelArtifacts"])
    report = json.loads(model["model.json"])
    assert (report["samples"], report["epochs"]) == (["a.txt"], 3)
    variables = report["variables"]
    assert variables["SM_MODEL_DIR"] == "/opt/ml/model"
    assert variables["SM_CHANNEL_TRAIN"] == "/opt/ml/input/data/train"
    assert os.path.exists("/opt/ml") == before


def test_a_program_like_the_mnist_example_runs_with_its_requirements(work: Training) -> None:
    work.put("mnist/labels.json", "[0, 1, 2, 3]")
    job = work.run(
        MNIST,
        {"epochs": "2", "backend": "gloo"},
        files=FILES,
        InputDataConfig=[channel("training", f"s3://{work.bucket}/mnist/")],
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert list(work.archive(job["ModelArtifacts"]["S3ModelArtifacts"])) == ["model.pth"]
    (lines,) = work.log(job["TrainingJobName"]).values()
    assert any("Train Epoch: 2 Loss:" in line for line in lines)
    with pytest.raises(importlib.metadata.PackageNotFoundError):  # the package was the job's own
        importlib.metadata.version(wheels_kit.NAME)


def test_a_job_changes_nothing_but_its_own_folders(work: Training) -> None:
    home, packages = str(work.aws.home), next(path for path in sys.path if path.endswith("site-packages"))
    code = str(Path(__file__).parent)
    paths = [
        packages,
        code,
        "/",
        "/etc",
        "/usr",
        "/opt",
        home,
        "/opt/ml",
        "/tmp",
        "/var/tmp",
        "/root",
        "/home",
    ]
    program = INTRUDER.replace("PATHS", repr(paths)).replace("HOME", repr(home))
    for _ in range(2):  # the second does not see the first one's /tmp
        job = work.run(script=program)
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        model = work.archive(job["ModelArtifacts"]["S3ModelArtifacts"])
        written = set(json.loads(model["written"].decode().replace("'", '"')))
        assert written == {"/opt/ml", "/tmp", "/var/tmp", "/root", "/home"}
        assert model["saw-another"] == b"False\n"
        assert model["home"] == b"[]"
    assert not list(Path(packages).glob("intruder"))


def test_torchrun_starts_the_program_and_its_processes_reach_each_other(work: Training) -> None:
    """On AWS one process per GPU. This machine has none, so it is one per instance."""
    program = """
import json, os
import torch, torch.distributed as dist
dist.init_process_group("gloo")
total = torch.ones(1)
dist.all_reduce(total)
with open("/opt/ml/model/world.json", "w") as file:
    json.dump([int(total), "TORCHELASTIC_RUN_ID" in os.environ], file)
"""
    enabled = {"sagemaker_torch_distributed_enabled": "true"}
    job = work.run(program, enabled, instances=2)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert json.loads(work.archive(job["ModelArtifacts"]["S3ModelArtifacts"])["world.json"]) == [2, True]
