"""Rules of AWS Budgets."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from moto.budgets.models import budgets_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.validation.table import Rule, value_of

API = "AWS Billing and Cost Management API Reference, "
ADDRESSES = {
    "EMAIL": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "SNS": r"arn:aws:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}",
}
# Units of time in which each type of budget counts.
COVERAGE = ("SAVINGS_PLANS_UTILIZATION", "SAVINGS_PLANS_COVERAGE", "RI_UTILIZATION", "RI_COVERAGE")
MAX_SUBSCRIBERS, MAX_PERCENT = 11, 1_000_000_000


def _limit(call: Call) -> str | None:
    for path in ("Budget.BudgetLimit.Amount", "NewBudget.BudgetLimit.Amount"):
        amount = value_of(call, path)
        if amount is not None and Decimal(amount) <= 0:
            return f"Budget limit amount must be greater than 0, not {amount}."
    return None


def _unit(call: Call) -> str | None:
    budget = call.parameter("Budget") or call.parameter("NewBudget") or {}
    unit = (budget.get("BudgetLimit") or {}).get("Unit")
    if budget.get("BudgetType") == "COST" and unit not in (None, "USD"):
        return f"Invalid unit {unit} for a cost budget: use USD."
    return None


def _subscribers(call: Call) -> list[dict[str, str]]:
    found = list(call.parameter("Subscribers") or ())
    found += [s for n in call.parameter("NotificationsWithSubscribers") or () for s in n["Subscribers"]]
    found += [call.parameters[name] for name in ("Subscriber", "NewSubscriber") if name in call.parameters]
    return found


def _address(call: Call) -> str | None:
    for subscriber in _subscribers(call):
        if not re.fullmatch(ADDRESSES[subscriber["SubscriptionType"]], subscriber["Address"]):
            return f"Invalid {subscriber['SubscriptionType']} address: {subscriber['Address']}"
    return None


def _repeated(call: Call) -> str | None:
    groups = [call.parameter("Subscribers") or ()]
    groups += [n["Subscribers"] for n in call.parameter("NotificationsWithSubscribers") or ()]
    for group in groups:
        if len({(s["SubscriptionType"], s["Address"]) for s in group}) < len(group):
            return "Duplicate subscribers found"
        if sum(s["SubscriptionType"] == "SNS" for s in group) > 1:
            return "A notification can have at most one SNS subscriber."
    return None


def _same_notification(call: Call) -> str | None:
    budget = budgets_backends[ACCOUNT_ID]["aws"].budgets[ACCOUNT_ID].get(call.parameters["BudgetName"])
    wanted = _identity(call.parameters["Notification"])
    if budget is None or wanted not in [_identity(known.details) for known in budget.notifications]:
        return None
    return "Error creating notification: the notification already exists."


def _identity(notification: dict[str, Any]) -> tuple[Any, ...]:
    return (
        notification["NotificationType"],
        notification["ComparisonOperator"],
        float(notification["Threshold"]),
        notification.get("ThresholdType", "PERCENTAGE"),
    )


def _other_account(call: Call) -> str | None:
    account = call.parameters["AccountId"]
    if account == ACCOUNT_ID:
        return None
    return f"Account {ACCOUNT_ID} is not authorized to access budgets of account {account}."


_WRITES = ("CreateBudget", "UpdateBudget")
_SUBSCRIBING = ("CreateBudget", "CreateNotification", "CreateSubscriber", "UpdateSubscriber")
_OF_ACCOUNT = (
    *(
        "CreateBudget",
        "UpdateBudget",
        "DeleteBudget",
        "DescribeBudget",
        "DescribeBudgets",
        "CreateNotification",
    ),
    *("DeleteNotification", "DescribeNotificationsForBudget", "CreateSubscriber", "DeleteSubscriber"),
    "DescribeSubscribersForNotification",
)

RULES: tuple[Rule, ...] = (
    Rule(_OF_ACCOUNT, _other_account, "AccessDeniedException", API + "CreateBudget: AccountId"),
    Rule(_WRITES, _limit, "InvalidParameterException", API + "Spend: Amount"),
    Rule(_WRITES, _unit, "InvalidParameterException", API + "Spend: Unit"),
    Rule(
        ("CreateNotification",),
        _same_notification,
        "DuplicateRecordException",
        API + "CreateNotification: errors",
    ),
    Rule(_SUBSCRIBING, _address, "InvalidParameterException", API + "Subscriber: Address"),
    Rule(_SUBSCRIBING, _repeated, "DuplicateRecordException", API + "Subscriber"),
)
