"""What is checked before a deployment changes or waits for anything: instance type, model version, data, artifact."""

from __future__ import annotations

from collections.abc import Collection

from ml.jobs import compatibility, data, registry
from ml.jobs.registry import Version
from ops import s3
from ops.environment import Environment
from ops.errors import Refused
from ops.facts.instance_types import check_instance_type
from ops.text import clause
from pipeline import live_checks


def check_hosting(env: Environment) -> None:
    """Raise Refused if the endpoint cannot have the instance type in the settings."""
    serving = env.settings.serving
    if not serving.serverless:
        check_instance_type(serving.instance_type, "hosting")


def check(
    env: Environment, version: Version, *, in_service: Collection[str] = (), allow_other_data: bool = False
) -> str:
    """Raise Refused if SageMaker would not deploy a version, or if it was trained on other data.

    Checks its approval, its data set and classes, its image, and that its artifact still exists; and approval and data of
    the versions of a second or a shadow variant.

    in_service: model packages that the endpoint serves now. These are accepted with other data too: only the endpoint's
        settings change.
    allow_other_data: accept versions that were trained on other data.

    Returns how the version's data differs, if that was accepted; else an empty string.
    """
    manifest, serving = data.current(env), env.settings.serving
    others = [registry.find(env, variant.model) for variant in (serving.second, serving.shadow) if variant]
    for each in (version, *others):
        _check_approval(env, each)
        if not allow_other_data and each.arn not in in_service:
            compatibility.check(env.settings, each, manifest)
    live_checks.check_image(env, version.arn)
    _check_artifact(env, version)
    return compatibility.difference(version.lineage, manifest)


def newest(env: Environment, *, allow_other_data: bool = False) -> Version:
    """Return the newest approved version that fits the current data.

    allow_other_data: the newest approved one, whatever it was trained on.

    Raises Refused if there is none.
    """
    usable = registry.approved(env)
    if allow_other_data:
        return usable[0]
    manifest = data.current(env)
    for version in usable:
        if not compatibility.difference(version.lineage, manifest):
            return version
    compatibility.check(env.settings, usable[0], manifest)
    raise AssertionError


def _check_artifact(env: Environment, version: Version) -> None:
    if version.artifact and not s3.has_objects(env, s3.S3Uri.parse(version.artifact)):
        raise Refused(
            f"The artifact of model version {version.number}, {version.artifact}, does not exist any more: deploy another "
            f"version (./inv models{env.settings.flag} lists them), or train it again with "
            f"./inv train{env.settings.flag} --again."
        )


def _check_approval(env: Environment, version: Version) -> None:
    if version.is_approved:
        return
    flag, number = env.settings.flag, version.number
    approve = f'./inv models{flag} --approve {number} --because "…"'
    if version.is_rejected:
        why = f" ({clause(version.because)})" if version.because else ""
        raise Refused(
            f"Model version {number} was rejected{why}, and SageMaker deploys approved versions only: choose another one "
            f"(./inv models{flag}), or run {approve}."
        )
    measured = "unknown" if version.accuracy is None else f"{version.accuracy:.4f}"
    raise Refused(
        f"Model version {number} waits for approval (test accuracy {measured}, minimum "
        f"{env.settings.training.minimum_accuracy:g}), and SageMaker deploys approved versions only: run {approve}, or "
        f"choose another one (./inv models{flag})."
    )
