"""The stacks of an environment: the Terraform root, the state and the input variables of each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ops import endpoint_history, packaging, s3
from ops.aws import error_code
from ops.console import Progress
from ops.environment import Environment
from ops.errors import OperatorError
from ops.facts import images
from ops.paths import ROOT, WORK
from ops.settings import Settings
from ops.settings.serving import ServingSettings
from ops.terraform import state_bucket, state_contents
from ops.terraform.adoption.search import Search
from ops.terraform.stack import Stack

NAMES = ("access", "foundation", "serving")
ALL = (*NAMES, "training_host", "workbench")
DEFAULT = ("foundation", "serving")  # without access, which an administrator applies

ACCESS_PATH = "/access/"  # the IAM path of what stack access creates

Variables = dict[str, Any]


def access(env: Environment, progress: Progress, *, plan_only: bool = False) -> Stack:
    """Return the stack of the operator's and CI's roles, and of the boundary of all other roles.

    Its state has a key outside the environment's prefix, which these roles cannot reach. plan_only: as of `foundation`.
    """
    chosen = env.settings.access
    github = {
        "repository": chosen.github_repository,
        "environment": chosen.github_environment,
        "create_identity_provider": chosen.create_identity_provider,
    }
    variables = {"github": github, "image_account_id": images.account_id(env.settings.region)}
    return _stack(env, "access", access_key(env.settings), progress, variables, plan_only=plan_only)


def access_key(settings: Settings) -> str:
    """Return the key of the state of stack access. No environment has a name that starts with an underscore."""
    return f"_access/{settings.environment}.tfstate"


def boundary(env: Environment) -> str:
    """Return the ARN of the permissions boundary of the environment's roles; empty unless stack access created it."""
    arn = f"arn:{env.partition}:iam::{env.account_id}:policy{ACCESS_PATH}{env.settings.prefix}-boundary"
    try:
        env.client("iam").get_policy(PolicyArn=arn)
    except ClientError as error:
        if error_code(error) != "NoSuchEntity":
            raise
        return ""
    return arn


def foundation(env: Environment, progress: Progress, *, plan_only: bool = False) -> Stack:
    """Return the stack of what training needs: bucket, key, roles, registry, log groups.

    plan_only: do not create the state bucket; without one, the plan is made from scratch.
    """
    settings = env.settings
    variables = {
        "boundary_arn": boundary(env),
        "storage": {
            "force_destroy": settings.storage.force_destroy,
            "expiry": {"enabled": settings.storage.expire_old_versions},
        },
        "key": {"deletion_window_days": settings.key_deletion_window_days},
        "logs": {
            "retention_days": settings.log_retention_days,
            "manage_training_group": _manages_log_group(env, "/aws/sagemaker/TrainingJobs"),
            "manage_processing_group": _manages_log_group(env, "/aws/sagemaker/ProcessingJobs"),
        },
        "images": {
            "account_id": images.account_id(env.settings.region),
            "training_repository": images.TRAINING_REPOSITORY,
            "serving_repository": images.SERVING_REPOSITORY,
        },
        "budget": settings.budget.model_dump(),
        "notifications": {"emails": settings.observability.emails},
        "network": {
            "enabled": settings.network.vpc,
            **settings.network.model_dump(exclude={"vpc", "encrypt_traffic"}),
        },
    }
    key = f"{settings.environment}/foundation.tfstate"
    return _stack(env, "foundation", key, progress, variables, plan_only=plan_only)


def serving(env: Environment, endpoint: str, model_package_arn: str, progress: Progress) -> Stack:
    """Return the stack that serves a registered model version: model, endpoint, scaling, function."""
    settings, chosen = env.settings, env.settings.serving
    variables = {
        "boundary_arn": boundary(env),
        "endpoint_name": endpoint,
        "model_package_arn": model_package_arn,
        "hosting": chosen.hosting,
        "variants": _variants(chosen, model_package_arn),
        "data_capture": chosen.data_capture.model_dump(),
        "autoscaling": chosen.autoscaling.model_dump(),
        "deployment": chosen.deployment.model_dump(),
        "deployed": endpoint_history.deployed(env, endpoint),
        "logs": {"retention_days": settings.log_retention_days},
        "observability": {
            "dashboard": settings.observability.dashboard,
            "thresholds": settings.observability.model_dump(exclude={"dashboard", "emails"}),
        },
    }
    stack = _stack(env, "serving", f"{settings.environment}/serving/{endpoint}.tfstate", progress, variables)
    # Relative, as the state keeps the path: another checkout's would be a change of the function.
    path = os.path.relpath(_function_zip(), stack.configuration.folder)
    stack.variables["lambda"] = {"zip_path": path, **settings.function.model_dump()}
    return stack


def training_host(env: Environment, progress: Progress, host: Variables | None = None) -> Stack:
    """Return the stack of one EC2 host that trains. host: its variable `host`; destroying needs none."""
    key = f"{env.settings.environment}/training_host.tfstate"
    return _stack(env, "training_host", key, progress, {"host": host or {}})


def workbench(env: Environment, progress: Progress, notebooks: Variables | None = None) -> Stack:
    """Return the stack of a place to work in notebooks. notebooks: its variable `workbench`; destroying needs none."""
    key = f"{env.settings.environment}/workbench.tfstate"
    variables = {"boundary_arn": boundary(env), "workbench": notebooks or {}}
    return _stack(env, "workbench", key, progress, variables)


def deployed(env: Environment) -> list[str]:
    """Return the stacks whose state holds resources, partly applied ones included: `foundation`, `serving/<endpoint>`,
    `training_host`, `workbench`. Raises UnreadableDocument for a damaged state."""
    return [name for name in states(env) if resources(env, name)]


def states(env: Environment) -> list[str]:
    """Return the stacks that have a state, with or without resources, sorted."""
    prefix, bucket, s3_client = f"{env.settings.environment}/", env.state_bucket, env.client("s3")
    try:
        pages = s3_client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            return []
        raise
    suffix = ".tfstate"
    return sorted(key.removeprefix(prefix).removesuffix(suffix) for key in keys if key.endswith(suffix))


def resources(env: Environment, name: str) -> list[dict[str, Any]]:
    """Return the resources in the state of a stack, as `states` names it. Raises UnreadableDocument."""
    uri = s3.S3Uri(env.state_bucket, f"{env.settings.environment}/{name}.tfstate")
    return state_contents.resources(s3.get(env, uri) or b"", uri)


def deployed_endpoints(env: Environment) -> list[str]:
    """Return the endpoints whose state holds resources, partly deployed ones included."""
    return [name.removeprefix("serving/") for name in deployed(env) if name.startswith("serving/")]


def locked(env: Environment) -> list[str]:
    """Return the stacks whose state is locked, by the names that `deployed` uses. A new stack has a lock, but no state."""
    prefix, end = f"{env.settings.environment}/", ".tfstate.tflock"
    try:
        pages = (
            env.client("s3").get_paginator("list_objects_v2").paginate(Bucket=env.state_bucket, Prefix=prefix)
        )
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            return []
        raise
    return sorted(key.removeprefix(prefix).removesuffix(end) for key in keys if key.endswith(end))


def check_name(name: str, names: tuple[str, ...] = NAMES) -> str:
    """Return the name of a stack. Raises OperatorError for any other name. names: the possible ones."""
    if name not in names:
        raise OperatorError(f"There is no stack {name!r}: choose {', '.join(names[:-1])} or {names[-1]}.")
    return name


def _stack(
    env: Environment,
    root: str,
    key: str,
    progress: Progress,
    variables: Variables,
    *,
    plan_only: bool = False,
) -> Stack:
    settings = env.settings
    without_state = plan_only and not state_bucket.exists(env)
    return Stack(
        root=root,
        key=key,
        state_bucket=None if without_state else state_bucket.ensure(env),
        region=settings.region,
        progress=progress,
        session=env.session,
        s3=env.client("s3"),
        search=None if without_state else Search(env, progress),
        unlock=f"./inv unlock{settings.flag}{' --stack access' if root == 'access' else ''}",
        variables={
            "project": settings.project,
            "environment": settings.environment,
            "region": settings.region,
            "tags": settings.cost_tags,
            **variables,
        },
    )


def _manages_log_group(env: Environment, name: str) -> bool:
    """Return whether this environment manages a log group that all jobs of a kind of an account and region share.

    SageMaker creates the group with the first job. Another environment may manage it.
    """
    logs = env.client("logs")
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    group = next((g for g in groups if g["logGroupName"] == name), None)
    if group is None:
        return True
    tags = logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]
    owner = (tags.get("Project"), tags.get("Environment"))
    return owner == (env.settings.project, env.settings.environment)


def _variants(serving: ServingSettings, main_package_arn: str) -> dict[str, Variables]:
    """Return the variants next to the main one. Their versions are in its model package group."""
    group = main_package_arn.rpartition("/")[0]
    return {
        name: {"model_package_arn": f"{group}/{variant.model}", **variant.model_dump(exclude={"model"})}
        for name, variant in (("second", serving.second), ("shadow", serving.shadow))
        if variant
    }


def _function_zip() -> Path:
    """Return the function's zip, at a path that contains its digest."""
    folder = WORK / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    building = folder / f"building-{os.getpid()}.zip"
    digest = packaging.lambda_zip(ROOT / "lambda_function", building)
    return building.rename(folder / f"inference-{digest[:16]}.zip")
