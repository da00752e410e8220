"""Budgets operations that moto lacks: subscribers, tags, updates. Nothing is spent here, so no budget alerts."""

from __future__ import annotations

from typing import Any

from moto.budgets.exceptions import NotFoundException
from moto.budgets.models import Budget, Notification
from moto.budgets.responses import BudgetsResponse
from moto.core.responses import ActionResult


class EmbeddedBudgetsResponse(BudgetsResponse):
    """moto's responses and the operations that Terraform needs."""

    def create_budget(self) -> str:
        answer = super().create_budget()
        _set_tags(
            self._budget(self._get_param("Budget")["BudgetName"]), self._get_param("ResourceTags") or []
        )
        return answer

    def update_budget(self) -> ActionResult:
        wanted = self._get_param("NewBudget")
        held = self._budget(wanted["BudgetName"]).budget
        held.update(Budget(wanted, []).budget)
        return ActionResult({})

    def describe_subscribers_for_notification(self) -> ActionResult:
        return ActionResult({"Subscribers": self._notification().subscribers})

    def create_subscriber(self) -> ActionResult:
        subscribers: Any = self._notification().subscribers
        subscribers.append(self._get_param("Subscriber"))
        return ActionResult({})

    def delete_subscriber(self) -> ActionResult:
        subscribers: Any = self._notification().subscribers
        subscribers.remove(self._get_param("Subscriber"))
        return ActionResult({})

    def list_tags_for_resource(self) -> ActionResult:
        tags = _tags(self._budget(_name(self._get_param("ResourceARN"))))
        return ActionResult({"ResourceTags": [{"Key": key, "Value": value} for key, value in tags.items()]})

    def tag_resource(self) -> ActionResult:
        budget = self._budget(_name(self._get_param("ResourceARN")))
        _set_tags(budget, self._get_param("ResourceTags"))
        return ActionResult({})

    def untag_resource(self) -> ActionResult:
        tags = _tags(self._budget(_name(self._get_param("ResourceARN"))))
        for key in self._get_param("ResourceTagKeys"):
            tags.pop(key, None)
        return ActionResult({})

    def _budget(self, name: str) -> Budget:
        budgets = self.backend.budgets[self._get_param("AccountId") or self.current_account]
        if name not in budgets:
            raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
        return budgets[name]

    def _notification(self) -> Notification:
        wanted = self._get_param("Notification")
        for notification in self._budget(self._get_param("BudgetName")).notifications:
            if _identity(notification.details) == _identity(wanted):
                return notification
        raise NotFoundException("Unable to find notification - the notification doesn't exist.")


def _identity(notification: dict[str, Any]) -> tuple[Any, ...]:
    """Return what identifies a notification of a budget. Clients may send the threshold as a whole number."""
    return (
        notification["NotificationType"],
        notification["ComparisonOperator"],
        float(notification["Threshold"]),
        notification.get("ThresholdType", "PERCENTAGE"),
    )


def _tags(budget: Budget) -> dict[str, str]:
    """Return the tags of a budget: an attribute that moto's class lacks, saved with the budget."""
    tags: dict[str, str] = vars(budget).setdefault("resource_tags", {})
    return tags


def _set_tags(budget: Budget, tags: list[dict[str, str]]) -> None:
    _tags(budget).update({tag["Key"]: tag["Value"] for tag in tags})


def _name(arn: str) -> str:
    return arn.rpartition("budget/")[2]
