"""The resource layer of the SageMaker Python SDK, with telemetry off and without anybody's defaults."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

_DEFAULTS = Path(__file__).with_name("sagemaker_defaults.yaml")


def sdk() -> ModuleType:
    """Return `sagemaker.core.resources`. The import takes over a second, so it happens at the first request."""
    # Instead of the files of this machine and user, which could set anything of a request.
    os.environ["SAGEMAKER_USER_CONFIG_OVERRIDE"] = os.environ["SAGEMAKER_ADMIN_CONFIG_OVERRIDE"] = str(
        _DEFAULTS
    )
    from sagemaker.core import resources

    found: ModuleType = resources
    return found
