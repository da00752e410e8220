"""An address that has not confirmed its subscription is reported: nobody would see the alarms."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from ops import console
from ops.console import Stage
from ops.outcome import Outcome
from ops.terraform import stacks
from pipeline import foundation, notifications, status
from tests.environments import with_clients, with_settings

TOPIC = "arn:aws:sns:us-east-1:123456789012:image-classifier-dev-alarms"


class Sns:
    """The subscriptions of the topic: address to ARN, or the state in its place."""

    def __init__(self, **subscriptions: str):
        self.subscriptions = {f"{name}@example.org": arn for name, arn in subscriptions.items()}
        self.refusal = ""

    def get_paginator(self, operation):
        assert operation == "list_subscriptions_by_topic"
        return self

    def paginate(self, TopicArn):
        assert TopicArn == TOPIC
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal, "Message": "no"}}, "ListSubscriptionsByTopic")
        return [
            {"Subscriptions": [{"Endpoint": address, "SubscriptionArn": arn}]}
            for address, arn in self.subscriptions.items()
        ]


@pytest.fixture
def env(account, dev):
    """Return a function that makes environment dev with two addresses."""

    def made(sns: Sns):
        wanted = {"emails": ["a@example.org", "b@example.org"]}
        return with_clients(with_settings(dev, observability=wanted), sns=sns)

    return made


@pytest.mark.parametrize(
    ("subscriptions", "missing"),
    [
        ({"a": f"{TOPIC}:1", "b": f"{TOPIC}:2"}, []),
        ({"a": f"{TOPIC}:1", "b": "PendingConfirmation"}, ["b@example.org"]),
        ({"b": "Deleted"}, ["a@example.org", "b@example.org"]),
    ],
)
def test_only_a_confirmed_address_gets_alarms(env, subscriptions, missing):
    assert notifications.unconfirmed(env(Sns(**subscriptions))) == missing


def test_without_a_topic_nobody_is_reached_and_without_permission_nothing_is_known(env):
    sns = Sns()
    sns.refusal = "NotFound"
    assert notifications.unconfirmed(env(sns)) == ["a@example.org", "b@example.org"]
    sns.refusal = "AuthorizationError"
    assert notifications.unconfirmed(env(sns)) == []


def test_nothing_is_asked_if_nobody_wants_mails(dev):
    assert notifications.unconfirmed(dev) == []


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [((SimpleNamespace(address="a"),), Outcome.DONE), ((), Outcome.DEGRADED)],
    ids=["new", "later"],
)
def test_the_foundation_is_degraded_once_the_mail_was_ignored(env, monkeypatch, capsys, changes, outcome):
    class Stack:
        def up(self):
            return changes

    monkeypatch.setattr(stacks, "foundation", lambda env, step: Stack())
    monkeypatch.setattr(foundation, "changes_note", lambda changes, what: "")
    console.console.cache_clear()
    stages: list[Stage] = []
    foundation.apply(env(Sns(a=f"{TOPIC}:1")), stages)
    console.console.cache_clear()
    assert stages[0].outcome is outcome
    assert "not confirmed: b@example.org" in capsys.readouterr().err


def test_status_reports_it(env):
    (finding,) = status._notifications(env(Sns(a=f"{TOPIC}:1")))
    assert (finding["what"], finding["name"]) == ("notifications", "image-classifier-dev-alarms")
    assert "b@example.org" in finding["problem"]
