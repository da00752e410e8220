"""Rules with a schedule on the running embedded AWS, on a fast clock."""

from __future__ import annotations

from events_kit import Queue, Rule


def test_rule_fires_when_its_schedule_is_due(fast_embedded_aws, until):
    often, seldom = Queue(fast_embedded_aws), Queue(fast_embedded_aws)
    rules = [
        Rule(fast_embedded_aws, "rate(1 minute)", {"Arn": often.arn}),
        Rule(fast_embedded_aws, "rate(1 day)", {"Arn": seldom.arn}),
    ]
    until(lambda: len(often.messages) >= 2)
    for rule in rules:
        rule.delete()
    event = often.messages[0]
    assert (event["detail-type"], event["source"]) == ("Scheduled Event", "aws.events")
    assert event["resources"] == [rules[0].arn] and event["detail"] == {}
    assert often.messages[1]["id"] != event["id"] and seldom.messages == []
