"""AWS Systems Manager: changes to moto."""

from __future__ import annotations

from moto.ssm import models

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider
from embedded_aws.services.ssm.backend import EmbeddedSystemsManagerBackend


def provider(runtime: Runtime) -> Provider:
    return Provider(backends=[(models.ssm_backends, EmbeddedSystemsManagerBackend)])
