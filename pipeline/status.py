"""What exists in an environment, asked of AWS, not remembered."""

from __future__ import annotations

from botocore.exceptions import ClientError

from ml.jobs import data, registry
from ml.jobs import job_inputs as program
from ml.jobs.launchers import hosts
from ops import outputs as handover
from ops.aws import client, error_code
from ops.errors import OperatorError
from ops.settings import Settings
from ops.terraform import stacks
from pipeline.workbench import workbench


def collect(settings: Settings) -> dict:
    """Foundation, data, search, models, endpoints, training host and workbench; None or empty where there is nothing.

    unfinished: stacks that hold resources but have published nothing, or nothing any more.
    """
    try:
        foundation = handover.foundation(settings)
    except OperatorError:
        nothing: dict = {"foundation": None, "data": None, "tuning": None, "models": [], "endpoints": []}
        return {**nothing, "host": None, "workbench": None, "unfinished": stacks.deployed(settings)}
    serving = handover.all_serving(settings)
    host, notebooks = _host(settings), _workbench(settings)
    published = {"foundation", *(f"serving/{s.endpoint_name}" for s in serving)}
    published |= {name for name, there in (("training_host", host), (workbench.STACK, notebooks)) if there}
    return {
        "foundation": {"bucket": foundation.bucket},
        "data": _data(settings, foundation.bucket),
        "tuning": handover.read(settings, foundation.bucket, "tuning"),
        "models": [
            {
                "version": v.number,
                "approval": v.approval,
                "test_accuracy": v.lineage.get("test_accuracy"),
                "training_job": v.lineage.get("training_job"),
            }
            for v in registry.versions(settings, foundation)
        ],
        "endpoints": [_endpoint(settings, s) for s in serving],
        "host": host,
        "workbench": notebooks,
        "unfinished": [name for name in stacks.deployed(settings) if name not in published],
    }


def rows(settings: Settings, found: dict) -> list[tuple[str, str, str]]:
    """The same as lines of a table: what, name, state."""
    env = settings.flag
    unfinished = [
        (
            name.partition("/")[0].replace("_", " "),
            name.partition("/")[2],
            f"unfinished: a run is at work or stopped half-way; {_finished_by(name, env)} finishes it",
        )
        for name in found["unfinished"]
    ]
    if not found["foundation"]:
        return unfinished or [("foundation", "", "none: nothing exists yet")]
    about, tuning = found["data"], found["tuning"]
    lines = [("foundation", found["foundation"]["bucket"], "there")]
    if about:
        counts = ", ".join(f"{n:,} {split}" for split, n in about["counts"].items())
        lines.append(("data", about["dataset"], f"{counts}; {about['classes']} classes"))
    else:
        lines.append(("data", "", "none"))
    lines.append(
        ("tuning", tuning["tuning_job"], f"validation accuracy {tuning['best_objective']:.4f}")
        if tuning
        else ("tuning", "", "none")
    )
    lines += [
        ("model", f"version {m['version']}", f"{m['approval']}, test accuracy {m['test_accuracy']}")
        for m in found["models"]
    ] or [("model", "", "none")]
    for endpoint in found["endpoints"]:
        lines.append(
            (
                "endpoint",
                endpoint["name"],
                f"{endpoint['status']}, {_capacity(endpoint)}, model {endpoint['model']}",
            )
        )
        if endpoint["function"]:
            lines.append(("function", endpoint["function"], endpoint["provisioned_concurrency"]))
    if host := found["host"]:
        lines.append(("training host", host["instance_id"], f"{host['state']}, {host['instance_type']}"))
    if notebooks := found["workbench"]:
        lines.append(
            (
                "workbench",
                notebooks["name"],
                f"{notebooks['state']}, {notebooks['kind']} on {notebooks['instance_type']}",
            )
        )
    lines += unfinished
    return lines if found["endpoints"] or unfinished else [*lines, ("endpoint", "", "none")]


def _finished_by(stack: str, env: str) -> str:
    """The tasks that take up a stack where a run stopped."""
    if stack == workbench.STACK:
        return f"./inv workbench.up{env} or ./inv workbench.down{env}"
    if stack == "training_host":
        return f"./inv ec2.train{env} or ./inv ec2.down{env}"
    return f"./inv up{env} or ./inv down{env}"


def _host(settings: Settings) -> dict | None:
    """The training host, as long as it is there."""
    host = hosts.find(settings)
    if host is None:
        return None
    return {
        "instance_id": host.instance_id,
        "instance_type": host.instance_type,
        "job": host.job,
        "spot": host.spot,
        "state": host.state,
    }


def _workbench(settings: Settings) -> dict | None:
    if (there := workbench.handed_over(settings)) is None:
        return None
    return {
        **{key: there[key] for key in ("name", "kind", "instance_type")},
        "state": workbench.state(settings, there),
    }


def _capacity(endpoint: dict) -> str:
    return (
        f"{endpoint['instances']} × {endpoint['instance_type']}"
        if endpoint["instance_type"]
        else "serverless"
    )


def _models(serving: handover.Serving) -> list[str]:
    """The version behind each variant, named where there are several."""
    versions = {variant: package.rpartition("/")[2] for variant, package in serving.variants.items()}
    if len(versions) == 1:
        return list(versions.values())
    return [f"{version} ({variant})" for variant, version in versions.items()]


def _data(settings: Settings, bucket: str) -> dict | None:
    try:
        manifest = data.current(bucket, client("s3", settings.region), settings.environment)
    except OperatorError:
        return None
    counts = {split: sum(n.values()) for split, n in manifest.counts.items()}
    return {
        "dataset": manifest.dataset,
        "hash": manifest.hash,
        "counts": counts,
        "classes": len(manifest.classes),
    }


def _endpoint(settings: Settings, serving: handover.Serving) -> dict:
    shown = {
        "name": serving.endpoint_name,
        "instance_type": serving.instance_type,
        "function": serving.function_name and f"{serving.function_name}:{serving.function_alias}",
        "model": ", ".join(_models(serving)),
        "provisioned_concurrency": _provisioned(settings, serving),
    }
    try:
        live = client("sagemaker", settings.region).describe_endpoint(EndpointName=serving.endpoint_name)
    except ClientError as error:
        if program.is_missing(error):
            return {**shown, "status": "missing", "instances": 0}
        raise
    instances = sum(v.get("CurrentInstanceCount", 0) for v in live.get("ProductionVariants", []))
    return {**shown, "status": live["EndpointStatus"], "instances": instances}


def _provisioned(settings: Settings, serving: handover.Serving) -> str:
    if serving.function_name is None:
        return "no function"
    if serving.provisioned_qualifier is None:
        return "no provisioned concurrency"
    try:
        config = client("lambda", settings.region).get_provisioned_concurrency_config(
            FunctionName=serving.function_name, Qualifier=serving.provisioned_qualifier
        )
    except ClientError as error:
        if error_code(error) in (
            "ProvisionedConcurrencyConfigNotFoundException",
            "ResourceNotFoundException",
        ):
            return "no provisioned concurrency"
        raise
    ready, wanted = (
        config["AvailableProvisionedConcurrentExecutions"],
        config["RequestedProvisionedConcurrentExecutions"],
    )
    return f"{config['Status']}, {ready} of {wanted} provisioned"
