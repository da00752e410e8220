"""The role that submits jobs: it writes programs to S3 and may pass the training role to SageMaker."""

from __future__ import annotations

from ops.environment import Environment


def as_submitter(env: Environment) -> Environment:
    """Return the environment acting as its tuning role."""
    return env.acting_as(env.outputs.foundation.tuning_role_arn)
