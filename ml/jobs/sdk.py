"""The SageMaker Python SDK's resource layer, with its telemetry off."""

import os
from pathlib import Path

_DEFAULTS = Path(__file__).with_name("sagemaker_defaults.yaml")


def sdk():
    """`sagemaker.core.resources`. Importing it costs over a second: call it when a request is to be made."""
    os.environ.setdefault("SAGEMAKER_USER_CONFIG_OVERRIDE", str(_DEFAULTS))
    from sagemaker.core import resources

    return resources
