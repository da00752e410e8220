"""The stacks of an environment: which root, which state, which inputs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from string import Template

from botocore.exceptions import ClientError

from ops import endpoint_history as generations
from ops import packaging
from ops.aws import account_id, client, error_code
from ops.errors import OperatorError
from ops.paths import ROOT, WORK
from ops.settings import Settings
from ops.settings.serving import ServingSettings
from ops.terraform.stack import Stack

NAMES = ("access", "foundation", "serving")
USUAL = ("foundation", "serving")  # without access, which is its administrator's to apply

ACCESS_PATH = "/access/"  # of what stack access makes in IAM

Progress = Callable[[str], None]


def state_bucket(settings: Settings) -> str:
    """The bucket with the states of all environments of a project in one account and region."""
    return f"{settings.project}-tfstate-{account_id(settings.region)}-{settings.region}"


def data_bucket(settings: Settings) -> str:
    """The bucket with the environment's data sets and models, as the foundation names it."""
    return f"{settings.prefix}-{account_id(settings.region)}-{settings.region}"


def has_state(settings: Settings) -> bool:
    """Whether the state bucket exists."""
    try:
        client("s3", settings.region).head_bucket(Bucket=state_bucket(settings))
    except ClientError as error:
        if error_code(error) not in ("404", "NoSuchBucket"):
            raise
        return False
    return True


def ensure_state_bucket(settings: Settings) -> str:
    """Make the state bucket if it is missing or half made: private, encrypted, versioned. Returns its name.

    Encrypted with AWS's key for S3 in this account: it is there before any foundation and its key, and outlives them,
    as all environments of the project share it. That key opens to principals of the account alone.
    """
    name, s3 = state_bucket(settings), client("s3", settings.region)
    if not has_state(settings):
        place = (
            {}
            if settings.region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": settings.region}}
        )
        s3.create_bucket(Bucket=name, **place)
    elif s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled":
        return name  # versioning comes last: the rest is there, too
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        ),
    )
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
            ]
        },
    )
    s3.put_bucket_policy(Bucket=name, Policy=_state_bucket_policy(settings, name))
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def _state_bucket_policy(settings: Settings, name: str) -> str:
    """What of the data bucket's policy is about who asks and how: by TLS, and of this account."""
    partition = client("s3", settings.region).meta.partition
    values = {
        "account_id": account_id(settings.region),
        "bucket_arn": f"arn:{partition}:s3:::{name}",
        "partition": partition,
        "region": settings.region,
    }
    text = Template((ROOT / "policies" / "resources" / "bucket.json").read_text()).substitute(values)
    document = json.loads(text)
    kept = [s for s in document["Statement"] if s["Sid"] in ("DenyPlainHttp", "DenyOtherAccounts")]
    return json.dumps({**document, "Statement": kept})


def access(settings: Settings, progress: Progress, *, plan_only: bool = False) -> Stack:
    """Who may work in the environment: the roles of its operator and of CI, and the boundary of all other roles.

    plan_only: as of `foundation`. Its state lies where those roles do not reach.
    """
    stateless = plan_only and not has_state(settings)
    chosen = settings.access
    return Stack(
        root="access",
        key=access_key(settings),
        state_bucket=None if stateless else ensure_state_bucket(settings),
        region=settings.region,
        progress=progress,
        variables={
            **_common(settings),
            "github": {
                "repository": chosen.github_repository,
                "environment": chosen.github_environment,
                "create_identity_provider": chosen.create_identity_provider,
            },
        },
    )


def access_key(settings: Settings) -> str:
    """Where the state of stack access lies: no environment has such a name."""
    return f"_access/{settings.environment}.tfstate"


def boundary(settings: Settings) -> str:
    """The ARN of the policy that bounds the environment's roles, if stack access has made it; else empty."""
    caller = client("sts", settings.region).get_caller_identity()
    partition = caller["Arn"].split(":")[1]
    arn = f"arn:{partition}:iam::{caller['Account']}:policy{ACCESS_PATH}{settings.prefix}-boundary"
    try:
        client("iam", settings.region).get_policy(PolicyArn=arn)
    except ClientError as error:
        if error_code(error) != "NoSuchEntity":
            raise
        return ""
    return arn


def foundation(settings: Settings, progress: Progress, *, plan_only: bool = False) -> Stack:
    """What exists before training: bucket, key, roles, registry, log groups.

    plan_only: do not make the state bucket; a stack without one is planned as new.
    """
    stateless = plan_only and not has_state(settings)
    return Stack(
        root="foundation",
        key=f"{settings.environment}/foundation.tfstate",
        state_bucket=None if stateless else ensure_state_bucket(settings),
        region=settings.region,
        progress=progress,
        variables={
            **_common(settings),
            "boundary_arn": boundary(settings),
            "storage": {
                "force_destroy": settings.storage.force_destroy,
                "expiry": {"enabled": settings.storage.expire_old_versions},
            },
            "key": {"deletion_window_days": settings.key_deletion_window_days},
            "logs": {
                "retention_days": settings.log_retention_days,
                "manage_training_group": _may_manage_training_logs(settings),
            },
            "budget": settings.budget.model_dump(),
            "notifications": {"emails": settings.observability.emails},
            "network": {
                "enabled": settings.network.vpc,
                **settings.network.model_dump(exclude={"vpc", "encrypt_traffic"}),
            },
        },
    )


def serving(settings: Settings, endpoint: str, model_package_arn: str, progress: Progress) -> Stack:
    """What serves a registered model version: model, endpoint, scaling, function."""
    serving, function = settings.serving, settings.function
    return Stack(
        root="serving",
        key=f"{settings.environment}/serving/{endpoint}.tfstate",
        state_bucket=ensure_state_bucket(settings),
        region=settings.region,
        progress=progress,
        variables={
            **_common(settings),
            "boundary_arn": boundary(settings),
            "endpoint_name": endpoint,
            "model_package_arn": model_package_arn,
            "hosting": serving.hosting,
            "variants": _variants(serving, model_package_arn),
            "data_capture": serving.data_capture.model_dump(),
            "autoscaling": serving.autoscaling.model_dump(),
            "deployment": serving.deployment.model_dump(),
            "deployed": generations.deployed(settings, endpoint),
            "lambda": {"zip_path": str(_function_zip()), **function.model_dump()},
            "logs": {"retention_days": settings.log_retention_days},
            "observability": {
                "dashboard": settings.observability.dashboard,
                "thresholds": settings.observability.model_dump(exclude={"dashboard", "emails"}),
            },
        },
    )


def training_host(settings: Settings, progress: Progress, host: dict | None = None) -> Stack:
    """Return the stack of one EC2 host that trains. host: its variable `host`; destroying needs none."""
    return Stack(
        root="training_host",
        key=f"{settings.environment}/training_host.tfstate",
        state_bucket=ensure_state_bucket(settings),
        region=settings.region,
        progress=progress,
        variables={**_common(settings), "host": host or {}},
    )


def workbench(settings: Settings, progress: Progress, notebooks: dict | None = None) -> Stack:
    """Return the stack of a place to work in notebooks. notebooks: its variable `workbench`; destroying needs none."""
    return Stack(
        root="workbench",
        key=f"{settings.environment}/workbench.tfstate",
        state_bucket=ensure_state_bucket(settings),
        region=settings.region,
        progress=progress,
        variables={
            **_common(settings),
            "boundary_arn": boundary(settings),
            "workbench": notebooks or {},
        },
    )


def deployed(settings: Settings) -> list[str]:
    """Return the stacks whose state holds resources, partly applied ones included: `foundation`, `serving/<endpoint>`,
    `training_host`, `workbench`."""
    prefix, bucket, s3 = f"{settings.environment}/", state_bucket(settings), client("s3", settings.region)
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            return []
        raise
    return sorted(
        key.removeprefix(prefix).removesuffix(".tfstate")
        for key in keys
        if key.endswith(".tfstate")
        and json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]).get("resources")
    )


def deployed_endpoints(settings: Settings) -> list[str]:
    """The endpoints whose state holds anything, also those whose deployment stopped half-way."""
    return [name.removeprefix("serving/") for name in deployed(settings) if name.startswith("serving/")]


def check_name(name: str) -> str:
    """Raise OperatorError unless `name` is a stack."""
    if name not in NAMES:
        raise OperatorError(f"There is no stack {name!r}: choose {', '.join(NAMES[:-1])} or {NAMES[-1]}.")
    return name


def _may_manage_training_logs(settings: Settings) -> bool:
    """Whether the log group that all training jobs of an account and region share is this environment's, or nobody's.

    SageMaker makes it with the first job; another environment may have it in its own state.
    """
    logs, name = client("logs", settings.region), "/aws/sagemaker/TrainingJobs"
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    group = next((g for g in groups if g["logGroupName"] == name), None)
    if group is None:
        return True
    tags = logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]
    return (tags.get("Project"), tags.get("Environment")) == (settings.project, settings.environment)


def _common(settings: Settings) -> dict:
    return {
        "project": settings.project,
        "environment": settings.environment,
        "region": settings.region,
        "tags": settings.cost_tags,
    }


def _variants(serving: ServingSettings, main_package_arn: str) -> dict:
    """The variants beside the main one; their versions are of its model package group."""
    group = main_package_arn.rpartition("/")[0]
    return {
        name: {"model_package_arn": f"{group}/{beside.model}", **beside.model_dump(exclude={"model"})}
        for name, beside in (("second", serving.second), ("shadow", serving.shadow))
        if beside
    }


def _function_zip() -> Path:
    """The function's zip, at a path that names its content."""
    folder = WORK / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    building = folder / f"building-{os.getpid()}.zip"
    digest = packaging.lambda_zip(ROOT / "lambda_function", building)
    return building.rename(folder / f"inference-{digest[:16]}.zip")
