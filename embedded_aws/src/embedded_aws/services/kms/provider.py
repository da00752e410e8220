"""AWS KMS: changes to moto."""

from __future__ import annotations

from moto.kms import models

from embedded_aws.runtime import Runtime
from embedded_aws.services.kms import keys
from embedded_aws.services.provider import Provider


def provider(runtime: Runtime) -> Provider:
    return Provider(replaced=[(models, "generate_private_key", keys.private_key)])
