"""Routes and throttling of HTTP APIs, without a server."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from embedded_aws.services.apigatewayv2.routes import (
    ACCOUNT_BURST,
    ACCOUNT_RATE,
    FUNCTION,
    ROUTE_KEY,
    Throttle,
    choose,
    limits,
)

KEYS = [
    "$default",
    "ANY /predict",
    "POST /predict",
    "GET /models/{id}",
    "GET /models/best",
    "GET /models/{rest+}",
]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/predict", ("POST /predict", {})),
        ("GET", "/predict", ("ANY /predict", {})),
        ("GET", "/models/best", ("GET /models/best", {})),
        ("GET", "/models/7", ("GET /models/{id}", {"id": "7"})),
        ("GET", "/models/7/files", ("GET /models/{rest+}", {"rest": "7/files"})),
        ("PUT", "/models/7", ("$default", {})),
        ("GET", "/predict/", ("$default", {})),
    ],
)
def test_most_specific_route_is_chosen(method, path, expected):
    assert choose(KEYS, method, path) == expected
    assert choose(reversed(KEYS), method, path) == expected


def test_unknown_path_without_a_default_has_no_route():
    assert choose(KEYS[1:], "GET", "/other") is None
    assert choose(["GET /a.b"], "GET", "/a-b") is None


@pytest.mark.parametrize("key", ["$default", "ANY /", "POST /a/{id}", "GET /a/{rest+}"])
def test_route_key_is_valid(key):
    assert ROUTE_KEY.fullmatch(key)


@pytest.mark.parametrize("key", ["", "/a", "FETCH /a", "GET a", "GET /a b", "$connect"])
def test_route_key_is_invalid(key):
    assert not ROUTE_KEY.fullmatch(key)


def test_function_is_found_by_arn_and_by_invoke_arn():
    arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
    path = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions"
    for uri in (f"{arn}:live", f"{path}/{arn}:live/invocations"):
        found = FUNCTION.fullmatch(uri)
        assert found and found.groupdict() == {"region": "us-east-1", "name": "f", "qualifier": "live"}
    assert not FUNCTION.fullmatch(f"{path}/{arn}:${{stageVariables.alias}}/invocations")
    assert not FUNCTION.fullmatch("https://elsewhere.example")


def test_throttle_admits_a_burst_and_then_a_rate():
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    assert [throttle.admit(("a",), 2, 3) for _ in range(4)] == [True, True, True, False]
    assert throttle.admit(("b",), 2, 3)
    now[0] = 0.5
    assert [throttle.admit(("a",), 2, 3) for _ in range(2)] == [True, False]
    now[0] = 60
    assert [throttle.admit(("a",), 2, 3) for _ in range(4)] == [True, True, True, False]
    assert [throttle.admit(("c",), 0, 0) for _ in range(2)] == [False, False]


def test_lower_burst_applies_at_once():
    throttle = Throttle(lambda: 0.0)
    assert throttle.admit(("a",), 100, 100)
    assert [throttle.admit(("a",), 1, 1) for _ in range(2)] == [True, False]


def test_limits_of_the_route_override_those_of_the_stage_and_the_account():
    stage = SimpleNamespace(
        default_route_settings={"throttlingRateLimit": 5.0},
        route_settings={"GET /a": {"throttlingBurstLimit": 0, "throttlingRateLimit": 1}},
    )
    assert limits(stage, "GET /a") == (1, 0)
    assert limits(stage, "GET /b") == (5, ACCOUNT_BURST)
    assert limits(SimpleNamespace(default_route_settings={}, route_settings={}), "x")[0] == ACCOUNT_RATE
