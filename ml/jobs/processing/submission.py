"""The request that creates a data job."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from ml.jobs import job_inputs, repository, wheels
from ml.jobs.processing import sources
from ml.jobs.processing.documents import REQUEST, Options, Request, settings_for_job
from ml.jobs.sdk import sdk
from ml.jobs.submitter import as_submitter
from ops import s3
from ops.console import Progress
from ops.environment import Environment
from ops.facts import images
from ops.facts.instance_types import has_local_nvme

_START = Path(__file__).with_name("start.py")
_INPUTS = "/opt/ml/processing/input"


def submit(env: Environment, name: str, options: Options, progress: Progress) -> None:
    """Create the data job `name`. env: acts as the command's caller; the tuning role creates the job."""
    settings, foundation = env.settings, env.outputs.foundation
    packages = wheels.folder("processing", progress) if foundation.network else None
    code = repository.upload(env, "processing", packages, progress)
    chosen = settings.data.processing
    submitter = as_submitter(env)
    inputs = {"code": _folder(code), "job": _upload_request(submitter, name, options)}
    request: dict[str, Any] = {
        "processing_job_name": name,
        "role_arn": foundation.processing_role_arn,
        "app_specification": {
            "image_uri": images.training_image(settings.region, chosen.instance_type),
            "container_entrypoint": ["python3", f"{_INPUTS}/job/{_START.name}"],
        },
        "environment": {"OPTIONS": options.words},
        "processing_inputs": [
            *(_input(one, uri, f"{_INPUTS}/{one}") for one, uri in inputs.items()),
            *_source(options.source),
        ],
        "processing_resources": {"cluster_config": _cluster(env)},
        "stopping_condition": {"max_runtime_in_seconds": chosen.max_runtime_seconds},
        "network_config": _network(env),
        "tags": job_inputs.cost_tags(settings),
    }
    progress(f"creating {name}")
    job_inputs.create(
        lambda: sdk().ProcessingJob.create(**request, session=submitter.session, region=settings.region)
    )


def _source(source: str) -> list[dict[str, Any]]:
    if not sources.in_s3(source):
        return []  # the program downloads it
    uri, folder = sources.prefix(source), f"{_INPUTS}/source"
    is_folder = uri.key.endswith("/")
    return [_input("source", str(uri), f"{folder}/{sources.path(source)}" if is_folder else folder)]


def _input(name: str, uri: str, path: str) -> dict[str, Any]:
    return {
        "input_name": name,
        "s3_input": {
            "s3_uri": uri,
            "local_path": path,
            "s3_data_type": "S3Prefix",
            "s3_input_mode": "File",
            "s3_data_distribution_type": "FullyReplicated",
        },
    }


def _upload_request(submitter: Environment, name: str, options: Options) -> str:
    """Upload the start program and the job's request, and return their prefix."""
    body = Request(job=name, options=options, settings=settings_for_job(submitter.settings))
    content, start = body.model_dump_json().encode(), _START.read_bytes()
    folder = f"code/{sha256(content + start).hexdigest()[:16]}"
    s3.put_once(submitter, f"{folder}/{_START.name}", start)
    return _folder(str(s3.put_once(submitter, f"{folder}/{REQUEST}", content)))


def _folder(uri: str) -> str:
    return f"{uri.rpartition('/')[0]}/"


def _cluster(env: Environment) -> dict[str, Any]:
    """Return the job's instance, with a volume encrypted by the environment's key where the type allows a key."""
    chosen = env.settings.data.processing
    found: dict[str, Any] = {
        "instance_type": chosen.instance_type,
        "instance_count": 1,
        "volume_size_in_gb": chosen.volume_size_gb,
    }
    if not has_local_nvme(chosen.instance_type):
        found["volume_kms_key_id"] = env.outputs.foundation.kms_key_arn
    return found


def _network(env: Environment) -> dict[str, Any]:
    """Return the job's network settings. Unlike a training, the program itself writes to S3, so it is not isolated."""
    found: dict[str, Any] = {"enable_network_isolation": False}
    if network := env.outputs.foundation.network:
        found["vpc_config"] = {
            "subnets": network.subnet_ids,
            "security_group_ids": network.training_security_group_ids,
        }
    return found
