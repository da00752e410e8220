"""What exists in an environment and what is in service, as AWS reports it, and what needs attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ml.jobs import compatibility, data, registry, running, search
from ml.jobs.launchers import hosts
from ops import live_endpoint, questions, served_models
from ops.aws import aws_errors, error_code
from ops.environment import Environment
from ops.errors import OperatorError
from ops.live_endpoint import LiveEndpoint
from ops.outputs import MissingOutputs, OutdatedOutputs, Serving
from ops.questions import Answer
from pipeline import drift, leftovers, notifications
from pipeline.notes import local_time
from pipeline.workbench import workbench

Found = dict[str, Any]
Progress = Callable[[str], None]

PATIENCE = 15.0  # seconds of one request, so that a service that hangs is named before its question is late
_NO_ANSWER = f"no answer within {questions.SECONDS:.0f} s: AWS is slow, or the network; run the command again"


def collect(environment: Environment, progress: Progress = lambda text: None) -> Found:
    """Return what exists, asking AWS everything in parallel. Raises OperatorError if AWS refuses the first question.

    foundation, data, tuning, host, workbench: None if it does not exist, or is not known.
    models, endpoints, data_jobs: lists; of data jobs, those that have not ended.
    unfinished: stacks with resources and without outputs.
    attention: what, name and problem of everything that needs a person: drift, orphans, lost or damaged states, locks,
        and questions without an answer.
    """
    env = environment.with_patience(PATIENCE)
    first = questions.ask(
        {
            "foundation": lambda: env.outputs.foundation,
            "states": lambda: drift.states(env),
            "endpoints": env.outputs.endpoints,
            "training host": lambda: _host(env),
            "workbench": lambda: _workbench(env),
            "locks": lambda: drift.locks(env),
        },
        progress,
    )
    foundation = first["foundation"]
    if foundation.error and not isinstance(foundation.error, (MissingOutputs, OutdatedOutputs)):
        raise foundation.error
    names: list[str] = first["endpoints"].value or []
    second = questions.ask(
        {
            **(_foundation_questions(env) if foundation.value else {}),
            **{f"endpoint {name}": lambda name=name: _endpoint(env, name) for name in names},  # type: ignore[misc]
            "orphans": lambda: leftovers.find(env, only=drift.TERRAFORM_KINDS),
        },
        progress,
    )
    attention = [finding for name, answer in (first | second).items() for finding in _problem(name, answer)]
    found: Found = {
        "foundation": {"bucket": foundation.value.bucket} if foundation.value else None,
        **{name: second[name].value if name in second else None for name in ("data", "tuning")},
        "models": second["models"].value or [] if "models" in second else [],
        "data_jobs": second["data jobs"].value or [] if "data jobs" in second else [],
        "endpoints": [
            second[f"endpoint {name}"].value or {"name": name, "status": "unknown", "problem": _NO_ANSWER}
            for name in names
        ],
        "host": first["training host"].value,
        "workbench": first["workbench"].value,
        "unfinished": [],
    }
    attention += _compared(env, found, first, second)
    return {**found, "attention": attention}


def _compared(
    env: Environment, found: Found, first: dict[str, Answer], second: dict[str, Answer]
) -> list[Any]:
    """Return the findings about states, orphans and drift, and complete `unfinished`."""
    known: drift.States | None = first["states"].value
    attention = list(first["locks"].value or [])
    for name in ("foundation in AWS", "notifications"):
        attention += second[name].value or [] if name in second else []
    if known is None:
        return attention
    applied = [f"serving/{endpoint['name']}" for endpoint in found["endpoints"]]
    if found["foundation"] or isinstance(first["foundation"].error, OutdatedOutputs):
        applied.append("foundation")
    applied += [n for n, key in (("training_host", "host"), ("workbench", "workbench")) if found[key]]
    found["unfinished"] = [name for name in known.deployed if name not in applied]
    attention += [drift.finding("state", name, problem) for name, problem in known.damaged.items()]
    attention += drift.lost_states(env.settings, known, sorted(applied))
    if not known.damaged:
        attention += drift.orphans(env.settings, second["orphans"].value or [], known)
    return attention


def _problem(name: str, answer: Answer) -> list[drift.Finding]:
    """Return what a question without an answer means for the table."""
    if answer.late:
        return [drift.finding("no answer", name, _NO_ANSWER)]
    if answer.error is None or isinstance(answer.error, MissingOutputs):
        return []
    try:
        with aws_errors(f"the question about {name}"):
            raise answer.error
    except OperatorError as error:
        return [drift.finding("no answer", name, str(error))]


def _foundation_questions(env: Environment) -> dict[str, questions.Question]:
    return {
        "data": lambda: _data(env),
        "tuning": lambda: _tuning(env),
        "data jobs": lambda: _data_jobs(env),
        "models": lambda: _models(env),
        "foundation in AWS": lambda: drift.foundation(env),
        "notifications": lambda: _notifications(env),
    }


def _notifications(env: Environment) -> list[drift.Finding]:
    addresses = notifications.unconfirmed(env)
    name = f"{env.settings.prefix}-alarms"
    return [drift.finding("notifications", name, notifications.problem(addresses))] if addresses else []


def _models(env: Environment) -> list[Found]:
    return [
        {
            "version": version.number,
            "approval": version.approval,
            "test_accuracy": version.lineage.get("test_accuracy"),
            "training_job": version.lineage.get("training_job"),
            "dataset": version.lineage.get("dataset"),
            "because": version.because,
        }
        for version in registry.versions(env)
    ]


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
    except data.MissingData:
        return None
    except OperatorError as error:
        return {"dataset": "", "problem": str(error)}
    return {
        "dataset": manifest.dataset,
        "hash": manifest.hash,
        "counts": {split: sum(n.values()) for split, n in manifest.counts.items()},
        "classes": len(manifest.classes),
    }


def _data_jobs(env: Environment) -> list[Found]:
    return [{"name": name, "status": status} for name, status in running.running(env, "processing").items()]


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
    live = live_endpoint.find(env, name)
    return {
        "name": name,
        "status": live.status if live else "missing",
        "instances": sum(live.current.values()) if live else 0,
        "instance_type": serving.instance_type,
        "model": _versions(live.versions) if live and live.versions else "unknown",
        "function": serving.function_name and f"{serving.function_name}:{serving.function_alias}",
        "provisioned_concurrency": _provisioned(env, serving),
        "drift": drift.endpoint(env.settings, serving, live),
        "function_drift": drift.function(env, serving),
        "failed": _failed(env, live) if live else None,
        "other_data": _other_data(env, live) if live else "",
    }


def _failed(env: Environment, live: LiveEndpoint) -> Found | None:
    """Return the last deployment if it failed: version, time, reason."""
    failed = served_models.history(env, live.name, live).failed
    if failed is None:
        return None
    version = failed.package.rpartition("/")[2]
    return {"version": version, "at": local_time(failed.at), "reason": failed.reason}


def _other_data(env: Environment, live: LiveEndpoint) -> str:
    """Return how the data of the model in service differs from the current data, and whether that was allowed."""
    if not live.package:
        return ""
    try:
        version, manifest = registry.of_package(env, live.package), data.current(env)
    except OperatorError:
        return ""  # without data, nothing differs
    different = compatibility.difference(version.lineage, manifest) if version else ""
    served = served_models.history(env, live.name, live).served
    allowed = next((model for model in served if model.package == live.package and model.other_data), None)
    if different and allowed:
        return f"{different} (--allow-other-data, {local_time(allowed.at)})"
    return different


def _versions(versions: dict[str, str]) -> str:
    """Return the version of each variant, with the variant's name if there are several."""
    if len(versions) == 1:
        return next(iter(versions.values()))
    return ", ".join(f"{version} ({variant})" for variant, version in versions.items())


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
    allocated = config["AllocatedProvisionedConcurrentExecutions"]  # those that serve a request included
    requested = config["RequestedProvisionedConcurrentExecutions"]
    return f"{config['Status']}, {allocated} of {requested} provisioned"
