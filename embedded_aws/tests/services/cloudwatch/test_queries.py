"""MetricDataQueries."""

from __future__ import annotations

import pytest
from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import MetricDatum

from embedded_aws.services.cloudwatch.queries import check, evaluate


def test_queries_can_refer_to_each_other_in_any_order():
    data = [MetricDatum("n", "m", 6.0, [], None)]
    data[0].timestamp = data[0].timestamp.replace(year=2020, month=1, day=1, hour=0, minute=0, second=30)
    start = 1577836800.0
    metric = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    queries = [
        {"Id": "e2", "Expression": "e1 + 1"},
        {"Id": "e1", "Expression": "FILL(m1, 0) / 2"},
        {"Id": "m1", "MetricStat": metric},
    ]
    check(queries)
    found = evaluate(data, queries, start, start + 120)
    assert found["e2"] == {start: 4.0, start + 60: 1.0}
    with pytest.raises(ValidationError, match="uses itself"):
        evaluate(data, [{"Id": "e1", "Expression": "e1 + 1"}], start, start + 60)
    with pytest.raises(ValidationError, match="unknown identifier m9"):
        check([{"Id": "e1", "Expression": "m9 + 1"}])
