"""What exists in an environment and what is in service, as AWS reports it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ml.jobs import data, job_inputs, registry, search
from ml.jobs.launchers import hosts
from ops.aws import error_code
from ops.environment import Environment
from ops.errors import OperatorError
from ops.outputs import MissingOutputs, OutdatedOutputs, Serving
from ops.terraform import stacks
from pipeline.workbench import workbench

Found = dict[str, Any]


def collect(env: Environment) -> Found:
    """Return what exists. Raises OutdatedOutputs if another version of this repository applied the foundation.

    foundation, data, tuning, host, workbench: None if it does not exist.
    models, endpoints: lists.
    unfinished: stacks with resources and without outputs.
    """
    deployed = stacks.deployed(env)
    try:
        foundation = env.outputs.foundation
    except MissingOutputs:
        nothing: Found = {"foundation": None, "data": None, "tuning": None, "host": None, "workbench": None}
        return {**nothing, "models": [], "endpoints": [], "unfinished": deployed}
    endpoints = env.outputs.endpoints()
    host, notebooks = _host(env), _workbench(env)
    finished = {"foundation", *(f"serving/{name}" for name in endpoints)}
    finished |= {name for name, found in (("training_host", host), ("workbench", notebooks)) if found}
    return {
        "foundation": {"bucket": foundation.bucket},
        "data": _data(env),
        "tuning": _tuning(env),
        "models": [
            {
                "version": version.number,
                "approval": version.approval,
                "test_accuracy": version.lineage.get("test_accuracy"),
                "training_job": version.lineage.get("training_job"),
            }
            for version in registry.versions(env)
        ],
        "endpoints": [_endpoint(env, name) for name in endpoints],
        "host": host,
        "workbench": notebooks,
        "unfinished": [name for name in deployed if name not in finished],
    }


def _host(env: Environment) -> Found | None:
    host = hosts.find(env)
    if host is None:
        return None
    return {
        "instance_id": host.instance_id,
        "instance_type": host.instance_type,
        "job": host.job,
        "spot": host.spot,
        "state": host.state,
    }


def _workbench(env: Environment) -> Found | None:
    try:
        found = env.outputs.find_workbench()
    except OutdatedOutputs as error:
        return {"name": "", "kind": "", "instance_type": "", "state": "outdated", "problem": str(error)}
    if found is None:
        return None
    return {
        **found.model_dump(include={"name", "kind", "instance_type"}),
        "state": workbench.state(env, found),
    }


def _data(env: Environment) -> Found | None:
    try:
        manifest = data.current(env)
    except OperatorError:
        return None
    return {
        "dataset": manifest.dataset,
        "hash": manifest.hash,
        "counts": {split: sum(n.values()) for split, n in manifest.counts.items()},
        "classes": len(manifest.classes),
    }


def _tuning(env: Environment) -> Found | None:
    try:
        result = search.find_result(env)
    except OperatorError as error:
        return {"tuning_job": "", "problem": str(error)}
    return result.model_dump() if result else None


def _endpoint(env: Environment, name: str) -> Found:
    try:
        serving = env.outputs.serving(name)
    except OutdatedOutputs as error:
        return {"name": name, "status": "outdated", "problem": str(error)}
    shown = {
        "name": name,
        "instance_type": serving.instance_type,
        "function": serving.function_name and f"{serving.function_name}:{serving.function_alias}",
        "model": ", ".join(_models(serving)),
        "provisioned_concurrency": _provisioned(env, serving),
    }
    try:
        live = env.client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        if job_inputs.is_missing(error):
            return {**shown, "status": "missing", "instances": 0}
        raise
    instances = sum(v.get("CurrentInstanceCount", 0) for v in live.get("ProductionVariants", []))
    return {**shown, "status": live["EndpointStatus"], "instances": instances}


def _models(serving: Serving) -> list[str]:
    """Return the version of each variant, with the variant's name if there are several."""
    versions = {variant: package.rpartition("/")[2] for variant, package in serving.variants.items()}
    if len(versions) == 1:
        return list(versions.values())
    return [f"{version} ({variant})" for variant, version in versions.items()]


def _provisioned(env: Environment, serving: Serving) -> str:
    if serving.function_name is None:
        return "no function"
    if serving.provisioned_qualifier is None:
        return "no provisioned concurrency"
    try:
        config = env.client("lambda").get_provisioned_concurrency_config(
            FunctionName=serving.function_name, Qualifier=serving.provisioned_qualifier
        )
    except ClientError as error:
        if error_code(error) in (
            "ProvisionedConcurrencyConfigNotFoundException",
            "ResourceNotFoundException",
        ):
            return "no provisioned concurrency"
        raise
    available = config["AvailableProvisionedConcurrentExecutions"]
    requested = config["RequestedProvisionedConcurrentExecutions"]
    return f"{config['Status']}, {available} of {requested} provisioned"
