"""SNS's subscriptions: functions are invoked as their policies allow, endpoints on this machine are posted to."""

from __future__ import annotations

import json
import logging
import threading
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from moto.sns.models import Subscription

from embedded_aws.services.events import targets

log = logging.getLogger(__name__)

PRINCIPAL = "sns.amazonaws.com"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
TIMEOUT_SECONDS = 15  # that SNS waits for an endpoint


class LocalSubscription(Subscription):
    """moto's subscription. Publish has succeeded once the topic has the message, whatever subscribers make of it."""

    def publish(
        self,
        message: str,
        message_id: str,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        message_structure: str | None = None,
    ) -> None:
        if message_structure == "json":  # a mistake in it is the publisher's
            message = self._parse_message_structure(message, self.protocol)
        try:
            if self.protocol == "sqs":
                super().publish(message, message_id, subject, message_attributes, group_id, deduplication_id)
            elif self._wants(message, message_attributes):
                self._tell(message, message_id, subject, message_attributes)
        except Exception as error:  # a queue that is gone, a function that may not be invoked
            log.warning("topic %s: subscription %s: %s", self.topic.arn, self.endpoint, error)

    def _wants(self, message: str, message_attributes: dict[str, Any] | None) -> bool:
        matcher = self._filter_policy_matcher
        return matcher is None or matcher.matches(message_attributes, message)

    def _tell(
        self, message: str, message_id: str, subject: str | None, attributes: dict[str, Any] | None
    ) -> None:
        if self.protocol == "lambda":
            record = self.get_post_data(message, message_id, subject)
            for name in ("SigningCertURL", "UnsubscribeURL"):  # Lambda spells them otherwise
                record[name.replace("URL", "Url")] = record.pop(name)
            sns = {**record, "Subject": subject, "MessageAttributes": attributes or {}}
            event = {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": self.arn,
                "Sns": sns,
            }
            targets.to_function(self.endpoint, PRINCIPAL, self.topic.arn, json.dumps({"Records": [event]}))
        elif self.protocol in ("http", "https"):
            if urlsplit(self.endpoint).hostname not in LOOPBACK:
                log.info("topic %s: nothing is sent off this machine: %s", self.topic.arn, self.endpoint)
                return
            raw = self.attributes.get("RawMessageDelivery") in (True, "true")
            body = (
                message if raw else json.dumps(self.get_post_data(message, message_id, subject, attributes))
            )
            headers = {
                "Content-Type": "text/plain; charset=UTF-8",
                "User-Agent": "Amazon Simple Notification Service Agent",
                "x-amz-sns-message-type": "Notification",
                "x-amz-sns-message-id": message_id,
                "x-amz-sns-topic-arn": self.topic.arn,
                "x-amz-sns-subscription-arn": self.arn,
            }
            request = urllib.request.Request(self.endpoint, body.encode(), headers)
            threading.Thread(target=_post, args=(request,), name="notification", daemon=True).start()


def _post(request: urllib.request.Request) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(request, timeout=TIMEOUT_SECONDS).close()
    except OSError as error:  # nobody answers, or with an error
        log.warning("%s: a notification was not taken: %s", request.full_url, error)
