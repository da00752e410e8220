"""Validation of CreateTrainingJob."""

from __future__ import annotations

import pytest
from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.training import validation


@pytest.mark.parametrize(
    ("condition", "spot", "message"),
    [
        ({"MaxRuntimeInSeconds": 100}, True, "must be present"),
        ({"MaxRuntimeInSeconds": 100, "MaxWaitTimeInSeconds": 99}, True, "greater than or equal"),
        ({"MaxWaitTimeInSeconds": 100}, False, "not supported when EnableManagedSpotTraining"),
        ({"MaxRuntimeInSeconds": 100, "MaxWaitTimeInSeconds": 100}, True, None),
        ({}, False, None),
    ],
)
def test_spot_training_needs_a_wait_time(condition: dict[str, int], spot: bool, message: str | None) -> None:
    if message is None:
        validation.check_stopping(condition, spot)
        return
    with pytest.raises(AWSValidationException, match=message):
        validation.check_stopping(condition, spot)
