"""Amazon SNS: changes to moto."""

from __future__ import annotations

from moto.sns import models

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider
from embedded_aws.services.sns.backend import EmbeddedSubscription


def provider(runtime: Runtime) -> Provider:
    return Provider(replaced=[(models, "Subscription", EmbeddedSubscription)])
