"""Budgets: stored with alerts, subscribers and tags, so that Terraform plans no change."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
ALERT = {
    "NotificationType": "FORECASTED",
    "ComparisonOperator": "GREATER_THAN",
    "Threshold": 100.0,
    "ThresholdType": "PERCENTAGE",
}
TOPIC = {"SubscriptionType": "SNS", "Address": f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms"}
MAIL = {"SubscriptionType": "EMAIL", "Address": "team@example.com"}


def limited(name: str, usd: str) -> dict:
    return {
        "BudgetName": name,
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": usd, "Unit": "USD"},
    }


def test_a_budget_keeps_alerts_subscribers_and_tags(embedded_aws):
    budgets, name = embedded_aws.client("budgets"), "budget-of-test"
    budgets.create_budget(
        AccountId=ACCOUNT,
        Budget=limited(name, "300"),
        NotificationsWithSubscribers=[{"Notification": ALERT, "Subscribers": [TOPIC]}],
        ResourceTags=[{"Key": "Owner", "Value": "ml"}],
    )
    alert = {"AccountId": ACCOUNT, "BudgetName": name, "Notification": ALERT}
    assert budgets.describe_subscribers_for_notification(**alert)["Subscribers"] == [TOPIC]
    budgets.create_subscriber(**alert, Subscriber=MAIL)
    budgets.delete_subscriber(**alert, Subscriber=TOPIC)
    assert budgets.describe_subscribers_for_notification(**alert)["Subscribers"] == [MAIL]

    budgets.update_budget(AccountId=ACCOUNT, NewBudget=limited(name, "500"))
    described = budgets.describe_budget(AccountId=ACCOUNT, BudgetName=name)["Budget"]
    assert described["BudgetLimit"] == {"Amount": "500", "Unit": "USD"}
    assert budgets.describe_subscribers_for_notification(**alert)["Subscribers"] == [MAIL]

    arn = f"arn:aws:budgets::{ACCOUNT}:budget/{name}"
    budgets.tag_resource(ResourceARN=arn, ResourceTags=[{"Key": "TTL", "Value": "7d"}])
    budgets.untag_resource(ResourceARN=arn, ResourceTagKeys=["Owner"])
    tags = budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"]
    assert tags == [{"Key": "TTL", "Value": "7d"}]
    budgets.delete_budget(AccountId=ACCOUNT, BudgetName=name)
    with pytest.raises(ClientError) as refused:
        budgets.list_tags_for_resource(ResourceARN=arn)
    assert refused.value.response["Error"]["Code"] == "NotFoundException"


def test_an_unknown_alert_is_refused(embedded_aws):
    budgets, name = embedded_aws.client("budgets"), "budget-without-alert"
    budgets.create_budget(AccountId=ACCOUNT, Budget=limited(name, "1"))
    with pytest.raises(ClientError) as refused:
        budgets.describe_subscribers_for_notification(AccountId=ACCOUNT, BudgetName=name, Notification=ALERT)
    assert refused.value.response["Error"]["Code"] == "NotFoundException"
    budgets.delete_budget(AccountId=ACCOUNT, BudgetName=name)
