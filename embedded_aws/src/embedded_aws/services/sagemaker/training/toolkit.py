"""Starts AWS's training toolkit as the `train` command does, in a process that stands in for a container.

Run as a script. Three differences from the command: once the program runs, it lets SIGTERM pass, as the first
process of a container does, so that the program has the grace period; it takes the port where the job's
instances meet from the environment, as jobs share a machine; and it reads torch's version without importing
torch, which would cost two seconds a job.
"""

import importlib.metadata
import os
import signal
import sys
from typing import Any


def main() -> None:
    sys.path.pop(0)  # this folder, which the toolkit would hand to the program
    from sagemaker_pytorch_container import training
    from sagemaker_training import process
    from sagemaker_training.cli import train

    run_program = process.check_error

    def run_patiently(*args: Any, **settings: Any) -> Any:
        signal.signal(signal.SIGTERM, lambda *_: None)  # a handler, as an ignored signal would be inherited
        return run_program(*args, **settings)

    process.check_error = run_patiently

    training.MASTER_PORT = os.environ["MASTER_PORT"]
    training._set_torch_version_environment = set_torch_version
    train.main()


def set_torch_version() -> None:
    os.environ["SM_DLC_TORCH_VERSION"] = importlib.metadata.version("torch")


if __name__ == "__main__":
    main()
