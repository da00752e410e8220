"""The launcher that an operator chose with --on."""

from __future__ import annotations

from ml.jobs.launchers.base import Launcher
from ml.jobs.launchers.ec2 import Ec2Launcher
from ml.jobs.launchers.here import HereLauncher
from ml.jobs.launchers.sagemaker import SageMakerLauncher
from ops.environment import Environment
from ops.errors import OperatorError

NAMES = ("sagemaker", "ec2", "here")


def create(name: str, env: Environment) -> Launcher:
    """Return the launcher of that name. Raises OperatorError for an unknown name."""
    if name == "sagemaker":
        return SageMakerLauncher(env)
    if name == "ec2":
        return Ec2Launcher(env)
    if name == "here":
        return HereLauncher(env)
    raise OperatorError(f"--on {name}: choose {', '.join(NAMES[:-1])} or {NAMES[-1]}.")
