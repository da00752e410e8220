"""The requests' parameters, read by AWS's training toolkit: how it would start the program on an instance with GPUs."""

import json
import subprocess
import sys

import pytest

from ml.jobs import job_inputs
from tests.environments import with_settings

# Runs the toolkit as far as the command that it would start. Its folders are those of the variable at import time.
SCRIPT = """
import json, sys
from sagemaker_training import entry_point, environment, process
from sagemaker_pytorch_container import training

environment.num_gpus = lambda: int(sys.argv[1])
training._dns_lookup = entry_point._dns_lookup = lambda host: None
training._set_torch_version_environment = lambda: None
process.check_error = lambda command, *arguments, **options: print(json.dumps(command))
training.main()
"""


@pytest.mark.parametrize(
    ("instance_type", "gpus", "command"),
    [
        ("ml.m5.2xlarge", 0, [sys.executable, "--", "train.py"]),
        ("ml.g5.xlarge", 1, [sys.executable, "--", "train.py"]),
        ("ml.g5.12xlarge", 4, ["torchrun", "--nnodes", "1", "--nproc_per_node", "4", "train.py"]),
    ],
)
def test_the_toolkit_starts_a_process_for_each_gpu(dev, tmp_path, instance_type, gpus, command):
    settings = with_settings(dev, training={"instance_type": instance_type}).settings
    code, configuration = tmp_path / "code", tmp_path / "input" / "config"
    code.mkdir()
    configuration.mkdir(parents=True)
    (code / "train.py").touch()
    cluster = {"current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": instance_type}
    given = {
        **job_inputs.toolkit_parameters(settings),
        "sagemaker_submit_directory": str(code),
        "epochs": "3",
    }
    for name, content in {
        "hyperparameters": given,
        "resourceconfig": {**cluster, "network_interface_name": "lo"},
        "inputdataconfig": {},
    }.items():
        (configuration / f"{name}.json").write_text(json.dumps(content))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(gpus)],
        env={"SAGEMAKER_BASE_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout.strip().splitlines()[-1]) == [*command, "--epochs", "3"]
