"""Metrics in a log."""

from __future__ import annotations

import pytest
from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.training.metrics import MetricReader


def test_every_match_in_a_line_is_a_metric() -> None:
    reader = MetricReader(
        [{"Name": "loss", "Regex": r"loss=(\S+)"}, {"Name": "acc", "Regex": r"acc=([0-9.]+)"}]
    )
    assert reader.read("loss=1e-3 acc=0.5 loss=0.25") == [("loss", 0.001), ("loss", 0.25), ("acc", 0.5)]
    assert reader.read("loss=nan acc=") == []
    assert reader.read("loss=oops") == []


@pytest.mark.parametrize(
    ("regex", "message"), [("loss=(", "is not valid"), ("loss=[0-9]+", "captures no value")]
)
def test_regular_expression_without_a_group_is_refused(regex: str, message: str) -> None:
    with pytest.raises(AWSValidationException, match=message):
        MetricReader([{"Name": "loss", "Regex": regex}])
