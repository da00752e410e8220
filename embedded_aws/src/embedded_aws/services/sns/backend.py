"""SNS subscriptions that invoke functions and post to endpoints on this machine."""

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
TIMEOUT_SECONDS = 15  # SNS's timeout for an endpoint


class EmbeddedSubscription(Subscription):
    """moto's subscription. Publish succeeds once the topic has the message, whether or not delivery succeeds."""

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
        if message_structure == "json":  # outside the try: an invalid structure is the publisher's error
            message = self._parse_message_structure(message, self.protocol)
        try:
            if self.protocol == "sqs":
                super().publish(message, message_id, subject, message_attributes, group_id, deduplication_id)
            elif self._passes_filter(message, message_attributes):
                self._deliver(message, message_id, subject, message_attributes)
        except Exception as error:  # e.g. a deleted queue, a function whose policy does not allow it
            log.warning("topic %s: subscription %s: %s", self.topic.arn, self.endpoint, error)

    def _passes_filter(self, message: str, message_attributes: dict[str, Any] | None) -> bool:
        matcher = self._filter_policy_matcher
        return matcher is None or matcher.matches(message_attributes, message)

    def _deliver(
        self, message: str, message_id: str, subject: str | None, attributes: dict[str, Any] | None
    ) -> None:
        if self.protocol == "lambda":
            self._invoke(message, message_id, subject, attributes)
        elif self.protocol in ("http", "https"):
            if urlsplit(self.endpoint).hostname not in LOOPBACK:
                log.info("topic %s: not sent, %s is not on this machine", self.topic.arn, self.endpoint)
                return
            request = self._request(message, message_id, subject, attributes)
            threading.Thread(target=_post, args=(request,), name="notification", daemon=True).start()

    def _invoke(
        self, message: str, message_id: str, subject: str | None, attributes: dict[str, Any] | None
    ) -> None:
        record = self.get_post_data(message, message_id, subject)
        for name in ("SigningCertURL", "UnsubscribeURL"):  # SigningCertUrl, UnsubscribeUrl in Lambda events
            record[name.replace("URL", "Url")] = record.pop(name)
        event = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": self.arn,
            "Sns": {**record, "Subject": subject, "MessageAttributes": attributes or {}},
        }
        targets.to_function(self.endpoint, PRINCIPAL, self.topic.arn, json.dumps({"Records": [event]}))

    def _request(
        self, message: str, message_id: str, subject: str | None, attributes: dict[str, Any] | None
    ) -> urllib.request.Request:
        raw = self.attributes.get("RawMessageDelivery") in (True, "true")
        body = message if raw else json.dumps(self.get_post_data(message, message_id, subject, attributes))
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "User-Agent": "Amazon Simple Notification Service Agent",
            "x-amz-sns-message-type": "Notification",
            "x-amz-sns-message-id": message_id,
            "x-amz-sns-topic-arn": self.topic.arn,
            "x-amz-sns-subscription-arn": self.arn,
        }
        return urllib.request.Request(self.endpoint, body.encode(), headers)


def _post(request: urllib.request.Request) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(request, timeout=TIMEOUT_SECONDS).close()
    except OSError as error:  # no listener, or an error response
        log.warning("%s: notification not delivered: %s", request.full_url, error)
