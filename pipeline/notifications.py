"""Who receives alarms: an address receives none before its owner has confirmed the subscription."""

from __future__ import annotations

from botocore.exceptions import ClientError

from ops.aws import error_code, is_denied
from ops.environment import Environment


def unconfirmed(env: Environment) -> list[str]:
    """Return the addresses in the settings whose subscriptions are not confirmed; none if the caller may not read them."""
    wanted = env.settings.observability.emails
    if not wanted:
        return []
    partition = env.outputs.foundation.kms_key_arn.split(":")[1]
    region, account = env.settings.region, env.account_id
    topic = f"arn:{partition}:sns:{region}:{account}:{env.settings.prefix}-alarms"
    confirmed = set()
    try:
        for page in env.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic):
            for subscription in page["Subscriptions"]:
                if subscription["SubscriptionArn"].startswith("arn:"):  # else PendingConfirmation or Deleted
                    confirmed.add(subscription["Endpoint"])
    except ClientError as error:
        if is_denied(error):
            return []
        if error_code(error) != "NotFound":
            raise
    return [address for address in wanted if address not in confirmed]


def problem(addresses: list[str]) -> str:
    """Return what it means that addresses are not confirmed, as a clause."""
    return f"not confirmed: {', '.join(addresses)}, so no alarm and no budget notification arrives there: open the link in AWS's mail (aws sns subscribe sends it again)"
