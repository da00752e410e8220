"""Where a training job runs: SageMaker, an EC2 host, or here. All else of a training is the same."""

from __future__ import annotations

from ml.jobs.launchers.base import Launcher, Outcome, TellStatus, Training
from ops.errors import OperatorError
from ops.outputs import Foundation
from ops.settings import Settings

NAMES = ("sagemaker", "ec2", "here")


def create(name: str, settings: Settings, foundation: Foundation) -> Launcher:
    """The launcher of a name, by the environment's settings. Raises OperatorError for an unknown name."""
    if name == "sagemaker":
        from ml.jobs.launchers.sagemaker import SageMakerLauncher

        return SageMakerLauncher(settings, foundation)
    if name == "ec2":
        from ml.jobs.launchers.ec2 import Ec2Launcher

        return Ec2Launcher(settings, foundation)
    if name == "here":
        from ml.jobs.launchers.here import HereLauncher

        return HereLauncher(settings, foundation)
    raise OperatorError(f"--on {name}: choose {', '.join(NAMES[:-1])} or {NAMES[-1]}.")


__all__ = ["NAMES", "Launcher", "Outcome", "TellStatus", "Training", "create"]
