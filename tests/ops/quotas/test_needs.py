"""Needs compared with quotas: one sentence with every quota that is too small, and how to request more."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ops.environment import Environment
from ops.errors import OperatorError
from ops.quotas import needs
from ops.quotas.needs import Concurrency, Need
from tests.environments import with_clients

TYPE, ALL = "ml.m5.large for endpoint usage", "Number of instances across active endpoints"


class Quotas:
    """Service Quotas and Lambda of an account. applied, default: values by name. denied: operations."""

    def __init__(self):
        self.applied: dict[str, float] = {TYPE: 4}
        self.default: dict[str, float] = {TYPE: 0, ALL: 20}
        self.requests: list[dict] = []
        self.denied: set[str] = set()
        self.limit, self.unreserved, self.listed = 1000, 1000, []

    def get_paginator(self, operation: str) -> SimpleNamespace:
        return SimpleNamespace(paginate=lambda **asked: getattr(self, operation)())

    def _page(self, operation: str, values: dict[str, float]):
        self.listed.append(operation)
        if operation in self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)
        for number, (name, value) in enumerate(values.items()):
            code = f"L-{number}"
            yield {
                "Quotas": [{"ServiceCode": "sagemaker", "QuotaCode": code, "QuotaName": name, "Value": value}]
            }

    def list_service_quotas(self):
        return self._page("ListServiceQuotas", self.applied)

    def list_aws_default_service_quotas(self):
        return self._page("ListAWSDefaultServiceQuotas", self.default)

    def list_requested_service_quota_change_history_by_quota(self):
        return [{"RequestedQuotas": self.requests}]

    def get_account_settings(self):
        if "GetAccountSettings" in self.denied:
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetAccountSettings"
            )
        limits = {"ConcurrentExecutions": self.limit, "UnreservedConcurrentExecutions": self.unreserved}
        return {"AccountLimit": limits}


@pytest.fixture
def account() -> Quotas:
    return Quotas()


@pytest.fixture
def env(dev, account) -> Environment:
    return with_clients(dev, service_quotas=account, lambda_=account)


def refused(env, *given, **named) -> str:
    with pytest.raises(OperatorError) as caught:
        needs.check(env, "./inv up --env dev", *given, **named)
    return str(caught.value)


def test_enough_is_accepted_without_a_note_and_nothing_needed_asks_nothing(env, account):
    assert needs.check(env, "./inv up", [Need(TYPE, "the endpoint", 1, 3)], Concurrency("x", 2)) == []
    assert account.listed == ["ListServiceQuotas"]  # the defaults are not needed
    assert needs.check(env, "./inv up", [Need(TYPE, "the endpoint", 0, 9)], Concurrency("x", 0)) == []
    assert account.listed == ["ListServiceQuotas"]


def test_every_quota_that_is_too_small_is_in_the_sentence(env, account):
    account.limit = account.unreserved = 10
    found = refused(
        env,
        [Need(TYPE, "the endpoint", 2, 3), Need(TYPE, "less", 1, 3), Need(ALL, "the endpoint", 2, 19)],
        Concurrency("function.provisioned_concurrency", 2),
    )
    assert found == (
        "./inv up --env dev needs more than the account's quotas in us-east-1 allow: "
        "ml.m5.large for endpoint usage (L-0) is 4, of which 3 are in use, and the endpoint needs 2 more: request an "
        "increase with `aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-0 "
        "--desired-value 5 --region us-east-1`; "
        "Number of instances across active endpoints (L-1) is 20, of which 19 are in use, and the endpoint needs 2 "
        "more: request an increase with `aws service-quotas request-service-quota-increase --service-code sagemaker "
        "--quota-code L-1 --desired-value 21 --region us-east-1`; "
        "Concurrent executions of Lambda (L-B99A9384) is 10, of which 10 are not reserved, and "
        "function.provisioned_concurrency takes 2 of them, but Lambda keeps 10 for other functions: lower "
        "function.provisioned_concurrency, or request an increase with `aws service-quotas "
        "request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 12 --region "
        "us-east-1`. It stopped before the first job or endpoint; run it again afterwards."
    )


def test_an_open_request_is_named_instead_of_the_command(env, account):
    account.requests = [{"DesiredValue": 8.0, "Status": "PENDING"}]
    assert "a request for 8 is already open (PENDING), so wait until" in refused(env, [Need(TYPE, "x", 5)])


def test_what_a_later_step_lacks_is_a_note(env):
    (note,) = needs.check(
        env, "./inv up", [Need(TYPE, "the endpoint", 1), Need(TYPE, "scaling", 6, later=True)]
    )
    assert note.startswith(
        "Enough for now, but ml.m5.large for endpoint usage (L-0) is 4, of which 0 are in use, and"
    )
    assert "scaling needs 6 more" in note


@pytest.mark.parametrize(
    ("limit", "unreserved", "more", "fits"),
    [
        (1000, 1000, 900, True),
        (1000, 1000, 901, False),  # a large account keeps 100 unreserved
        (1000, 102, 2, True),
        (100, 100, 90, True),
        (100, 100, 91, False),  # a small one keeps 10
        (10, 10, 1, False),
    ],
)
def test_lambda_keeps_concurrency_for_other_functions(env, account, limit, unreserved, more, fits):
    account.limit, account.unreserved = limit, unreserved
    if fits:
        assert needs.check(env, "./inv up", [], Concurrency("function.reserved_concurrency", more)) == []
    else:
        assert "Lambda keeps" in refused(env, [], Concurrency("function.reserved_concurrency", more))


def test_a_caller_who_may_not_read_quotas_gets_a_note_and_continues(env, account):
    account.denied = {"ListServiceQuotas", "GetAccountSettings"}
    assert needs.check(env, "./inv up", [Need(TYPE, "x", 99)], Concurrency("x", 5000)) == [
        "The use of SageMaker's quotas was not checked, as the caller may not call ListServiceQuotas: AWS decides at the launch.",
        "The use of Lambda's quota was not checked, as the caller may not call GetAccountSettings: AWS decides at the launch.",
    ]


def test_without_a_way_to_service_quotas_there_is_a_note(env, account, monkeypatch):
    def unreachable(*_):
        raise EndpointConnectionError(endpoint_url="https://servicequotas")

    monkeypatch.setattr(account, "get_paginator", unreachable)
    (note,) = needs.check(env, "./inv train", [Need(TYPE, "x", 99)])
    assert note.startswith(
        "The use of SageMaker's quotas was not checked (Could not connect to the endpoint URL"
    )


def test_a_quota_that_aws_does_not_list_limits_nothing(env):
    assert needs.check(env, "./inv up", [Need("ml.new.large for endpoint usage", "x", 99)]) == []
