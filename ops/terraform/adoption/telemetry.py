"""How logs, alarms, topics, event rules, queues and the budget are found."""

from __future__ import annotations

from ops.aws import tag_dict
from ops.terraform.adoption.rules import Account, ByName, Found, Recreated, Rule, Values, ask, known


def _log_group(account: Account, values: Values) -> Found | None:
    logs, name = account.client("logs"), values["name"]
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    group = next((g for page in pages for g in page["logGroups"] if g["logGroupName"] == name), None)
    if group is None:
        return None
    arn = group["arn"].removesuffix(":*")
    return Found(name, tags=logs.list_tags_for_resource(resourceArn=arn)["tags"])


def _alarm(account: Account, values: Values) -> Found | None:
    cloudwatch, name = account.client("cloudwatch"), values["alarm_name"]
    alarms = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    if not alarms:
        return None
    tags = cloudwatch.list_tags_for_resource(ResourceARN=alarms[0]["AlarmArn"])["Tags"]
    return Found(name, tags=tag_dict(tags))


def _topic(account: Account, values: Values) -> Found | None:
    arn = account.arn("sns", values["name"])
    if ask(account.client("sns").get_topic_attributes, "NotFound", TopicArn=arn) is None:
        return None
    return Found(arn, tags=tag_dict(account.client("sns").list_tags_for_resource(ResourceArn=arn)["Tags"]))


def _queue(account: Account, values: Values) -> Found | None:
    sqs = account.client("sqs")
    absent = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
    reply = ask(sqs.get_queue_url, *absent, QueueName=values["name"])
    if reply is None:
        return None
    tags = ask(sqs.list_queue_tags, *absent, QueueUrl=reply["QueueUrl"])
    return None if tags is None else Found(reply["QueueUrl"], values["name"], tags.get("Tags", {}))


def _event_rule(account: Account, values: Values) -> Found | None:
    events, name = account.client("events"), values["name"]
    rule = ask(events.describe_rule, "ResourceNotFoundException", Name=name)
    if rule is None:
        return None
    return Found(name, tags=tag_dict(events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]))


def _event_target(account: Account, values: Values) -> Found | None:
    """Return the target. Terraform gives it a random id, so creating it again would make a second one."""
    if not known(values, "rule"):
        return None
    reply = ask(
        account.client("events").list_targets_by_rule, "ResourceNotFoundException", Rule=values["rule"]
    )
    targets = reply["Targets"] if reply else []
    target = next((t for t in targets if not known(values, "arn") or t["Arn"] == values["arn"]), None)
    return target and Found(f"{values['rule']}/{target['Id']}")


def _budget(account: Account, values: Values) -> Found | None:
    budgets, name = account.client("budgets"), values["name"]
    owner = account.account_id
    if ask(budgets.describe_budget, "NotFoundException", AccountId=owner, BudgetName=name) is None:
        return None
    arn = account.arn("budgets", f"budget/{name}", regional=False)
    tags = budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"]
    return Found(f"{owner}:{name}", name, tag_dict(tags))


RULES: dict[str, Rule] = {
    "aws_budgets_budget": ByName(_budget),
    "aws_cloudwatch_dashboard": Recreated("PutDashboard replaces the dashboard of that name; it has no tags"),
    "aws_cloudwatch_event_rule": ByName(_event_rule),
    "aws_cloudwatch_event_target": ByName(_event_target),
    "aws_cloudwatch_log_group": ByName(
        _log_group,
        untagged=True,
        why="Lambda and SageMaker create the log group of our function or endpoint themselves if it logs first",
    ),
    "aws_cloudwatch_metric_alarm": ByName(_alarm),
    "aws_sns_topic": ByName(_topic),
    "aws_sns_topic_subscription": Recreated("Subscribe returns the address's existing subscription"),
    "aws_sqs_queue": ByName(_queue),
}
