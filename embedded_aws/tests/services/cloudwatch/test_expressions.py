"""Metric math."""

from __future__ import annotations

import pytest
from moto.cloudwatch.exceptions import ValidationError

from embedded_aws.services.cloudwatch import expressions

M1, M2 = {0.0: 1.0, 60.0: 2.0, 120.0: 3.0}, {0.0: 10.0, 120.0: 0.0}


TIMES = [0.0, 60.0, 120.0]


@pytest.mark.parametrize(
    "expression, value",
    [
        ("m1 + m2", {0.0: 11.0, 120.0: 3.0}),
        ("100 * m1 / m2", {0.0: 10.0}),
        ("m1 - 1", {0.0: 0.0, 60.0: 1.0, 120.0: 2.0}),
        ("-(m1 * 2)", {0.0: -2.0, 60.0: -4.0, 120.0: -6.0}),
        ("FILL(m2, 5)", {0.0: 10.0, 60.0: 5.0, 120.0: 0.0}),
        ("FILL(m2, REPEAT)", {0.0: 10.0, 60.0: 10.0, 120.0: 0.0}),
        ("SUM([m1, m2])", {0.0: 11.0, 60.0: 2.0, 120.0: 3.0}),
        ("MAX(METRICS())", {0.0: 10.0, 60.0: 2.0, 120.0: 3.0}),
        ("AVG([m1, m2])", {0.0: 5.5, 60.0: 2.0, 120.0: 1.5}),
        ("MIN(m1)", 1.0),
        ("IF(m1 > 1, m1, 0)", {0.0: 0.0, 60.0: 2.0, 120.0: 3.0}),
        ("IF(m1 > 1 AND m1 < 3, 1, 0)", {0.0: 0.0, 60.0: 1.0, 120.0: 0.0}),
        ("IF(m1 > 2 || m1 == 1, 1, 0)", {0.0: 1.0, 60.0: 0.0, 120.0: 1.0}),
        ("SUM([FILL(m1, 0), FILL(m2, 0)]) / 2", {0.0: 5.5, 60.0: 1.0, 120.0: 1.5}),
    ],
)
def test_expression_is_evaluated(expression, value):
    tree = expressions.parse(expression)
    assert expressions.evaluate(tree, {"m1": M1, "m2": M2}, TIMES, ["m1", "m2"]) == value


@pytest.mark.parametrize(
    "expression",
    ["m1 +", "ANOMALY_DETECTION_BAND(m1)", "m1.x", "__import__('os')", "m1[0]", "1 < m1 < 2", "'text'.x"],
)
def test_unsupported_expression_is_refused(expression):
    with pytest.raises(ValidationError):
        expressions.parse(expression)
