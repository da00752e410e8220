"""Continues what the embedded AWS ran before it stopped."""

from __future__ import annotations

import shutil
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from embedded_aws.runtime import Runtime


def recover(runtime: Runtime) -> None:
    """Start endpoints, notebooks, applications and jobs again, as their records say."""
    backends: list[Any] = [b for regions in list(sagemaker_backends.values()) for b in regions.values()]
    _delete_unused_models(runtime, backends)
    for backend in backends:
        backend.recover_endpoints()
    for backend in backends:
        backend.resume_notebooks()
        backend.resume_apps()
    for backend in backends:
        backend.resume_training()
        backend.resume_processing()
        backend.resume_tuning()


def _delete_unused_models(runtime: Runtime, backends: list[Any]) -> None:
    """Delete the unpacked models that a crash left behind."""
    used = {deployment for backend in backends for deployment in backend.deployment_ids()}
    for folder in runtime.folder("endpoints").iterdir():
        if folder.name not in used:
            shutil.rmtree(folder)
