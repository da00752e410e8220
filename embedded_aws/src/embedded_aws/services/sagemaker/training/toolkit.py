"""Runs AWS's training toolkit like the `train` command, in a process instead of a container.

Run as a script. It differs from the command in five ways:

- While the program runs, it ignores SIGTERM, like the first process of a container, so that the program gets the whole
  grace period.
- It takes the port of torch.distributed from the environment, because jobs share this machine.
- It reads torch's version without importing torch, which takes two seconds.
- It imports paramiko only for MPI: a third of the toolkit's imports.
- It collects no garbage during its own imports, which find none.
"""

import gc
import importlib
import importlib.metadata
import os
import signal
import sys
from types import ModuleType
from typing import Any


def main() -> None:
    gc.disable()
    sys.path.pop(0)  # this folder must not be on the program's path
    sys.modules["paramiko"] = Postponed("paramiko")
    from sagemaker_pytorch_container import training
    from sagemaker_training import process, torch_distributed
    from sagemaker_training.cli import train

    run_program = process.check_error

    def run_through_sigterm(*args: Any, **settings: Any) -> Any:
        gc.enable()
        signal.signal(
            signal.SIGTERM, lambda *_: None
        )  # a handler, because child processes inherit ignored signals
        return run_program(*args, **settings)

    process.check_error = run_through_sigterm

    training.MASTER_PORT = torch_distributed.MASTER_PORT = os.environ["MASTER_PORT"]
    training._set_torch_version_environment = set_torch_version
    train.main()


class Postponed(ModuleType):
    """A module that is imported when one of its attributes is first used. importlib's LazyLoader does not survive `import`."""

    def __getattr__(self, attribute: str) -> Any:
        sys.modules.pop(self.__name__, None)
        return getattr(importlib.import_module(self.__name__), attribute)


def set_torch_version() -> None:
    os.environ["SM_DLC_TORCH_VERSION"] = importlib.metadata.version("torch")


if __name__ == "__main__":
    main()
