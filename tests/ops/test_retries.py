"""Requests are repeated while AWS fails now and then, and end with a sentence when it fails for long."""

from __future__ import annotations

import io
import random
from types import SimpleNamespace

import boto3
import botocore.endpoint
import pytest
from botocore import exceptions
from botocore.awsrequest import AWSResponse

from ops import retries
from ops.aws import aws_errors
from ops.errors import OperatorError
from ops.retries import NoAnswer, RetryBudget, client_config

URL = "https://ssm.us-east-1.amazonaws.com"


def answer(status: int = 200, body: str = "{}", headers: dict | None = None) -> AWSResponse:
    raw = io.BytesIO(body.encode())
    raw.stream = lambda *_: iter([body.encode()])  # type: ignore[attr-defined]
    return AWSResponse(URL, status, headers or {}, raw)


THROTTLED = lambda: answer(400, '{"__type": "ThrottlingException", "message": "Rate exceeded"}')  # noqa: E731
UNAVAILABLE = lambda: answer(503, "")  # noqa: E731
OK = lambda: answer(200, '{"Parameter": {"Value": "1"}}')  # noqa: E731


def dropped() -> AWSResponse:
    raise exceptions.ConnectionClosedError(endpoint_url=URL)


def refused() -> AWSResponse:
    raise exceptions.EndpointConnectionError(endpoint_url=URL)


class Network:
    """What AWS answers, on a clock of its own. hang: seconds that each attempt takes."""

    def __init__(self, monkeypatch) -> None:
        self.now, self.sent, self.hang = 0.0, 0, 0.0
        self.answers = OK
        self.shown: list[str] = []
        monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=self.sleep))
        self.budget = RetryBudget(clock=lambda: self.now, show=self.shown.append)
        self.ssm = self.client()

    def client(self):
        client = boto3.Session("test", "test", region_name="us-east-1").client(
            "ssm", config=client_config("ssm")
        )
        client.meta.events.register("before-send.ssm", self.send)
        self.budget.attach(client)
        return client

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def send(self, **_) -> AWSResponse:
        self.sent += 1
        self.now += self.hang
        return self.answers()

    def read(self) -> None:
        assert self.ssm.get_parameter(Name="x")["Parameter"]["Value"] == "1"


@pytest.fixture
def network(monkeypatch) -> Network:
    return Network(monkeypatch)


@pytest.mark.parametrize(
    ("share", "failure"), [(0.30, THROTTLED), (0.15, UNAVAILABLE), (0.10, dropped)], ids=lambda x: str(x)[:4]
)
def test_single_failures_do_not_stop_a_command(network, share, failure):
    chance = random.Random(11)
    network.answers = lambda: failure() if chance.random() < share else OK()
    for _ in range(1500):  # a demo sends fewer
        network.read()
    assert network.sent > 1500 * (1 + share)


def test_a_service_that_hangs_ends_the_request_with_its_seconds(network):
    network.hang = 60

    def hangs() -> AWSResponse:
        raise exceptions.ReadTimeoutError(endpoint_url=URL)

    network.answers = hangs
    with pytest.raises(NoAnswer) as ended:
        network.read()
    assert network.sent == 2 and network.now < retries.REQUEST_SECONDS + 60
    assert str(ended.value).startswith(
        "SSM did not answer GetParameter within 1"
    ) and "ReadTimeoutError" in str(ended.value)
    assert network.shown == [
        "  SSM has not answered GetParameter for 60 s (ReadTimeoutError): trying again, for at most 90 s"
    ]


def test_nothing_that_listens_ends_the_request_soon(network):
    network.answers = refused
    with pytest.raises(NoAnswer, match="EndpointConnectionError"):
        network.read()
    assert network.now < 3 * retries.UNREACHABLE_SECONDS


def test_all_requests_of_a_command_share_one_budget(network):
    network.hang, network.answers = 25, UNAVAILABLE
    other = network.client()
    for client in (network.ssm, other):
        with pytest.raises(NoAnswer):
            client.get_parameter(Name="x")
    sent = network.sent
    with pytest.raises(NoAnswer):  # nothing is left: one attempt
        network.read()
    assert network.sent == sent + 1
    assert network.now < retries.COMMAND_SECONDS + 2 * 45 + 30
    network.answers, network.hang = OK, 0
    for _ in range(400):  # answers fill it again
        network.read()
    network.answers = UNAVAILABLE
    before = network.sent
    with pytest.raises(NoAnswer, match="the last ended with 503"):
        network.read()
    assert network.sent > before + 3


def test_an_answer_that_says_no_is_not_repeated(network):
    network.answers = lambda: answer(400, '{"__type": "ParameterNotFound", "message": "none"}')
    with pytest.raises(exceptions.ClientError, match="ParameterNotFound"):
        network.read()
    assert network.sent == 1 and not network.shown


def test_the_sentence_for_the_operator_says_who_did_not_answer(network):
    network.answers = THROTTLED
    with (
        pytest.raises(
            OperatorError,
            match=r"AWS did not answer during \./inv up \(SSM did not answer GetParameter within \d+ s, in \d+ attempts; "
            r"the last ended with ThrottlingException: Rate exceeded\): .*; then run the same command again\.$",
        ),
        aws_errors("./inv up"),
    ):
        network.read()


def test_only_lambda_may_take_longer_than_a_minute():
    assert client_config("lambda").read_timeout == 130
    assert client_config("sagemaker").read_timeout == 60
