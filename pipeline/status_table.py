"""The status of an environment as the rows of a table: what, name, state."""

from __future__ import annotations

from ops.settings import Settings
from pipeline.status import Found

Row = tuple[str, str, str]


def rows(settings: Settings, found: Found) -> list[Row]:
    """Return the rows for the result of `status.collect`: what exists, then what needs attention."""
    unfinished = [_unfinished(name, settings.flag) for name in found["unfinished"]]
    attention = [(item["what"], item["name"], item["problem"]) for item in found["attention"]]
    endpoints = [row for endpoint in found["endpoints"] for row in _endpoint(endpoint)]
    if not found["foundation"]:
        lines = [*endpoints, *_on_demand(found), *unfinished, *attention]
        return lines or [("foundation", "", "none: nothing exists yet")]
    lines = [("foundation", found["foundation"]["bucket"], "exists"), _data(found)]
    lines += [("data job", job["name"], _data_job(job, settings.flag)) for job in found["data_jobs"]]
    lines.append(_tuning(found))
    lines += [
        (
            "model",
            f"version {model['version']}",
            _model(model),
        )
        for model in found["models"]
    ] or [("model", "", "none")]
    lines += endpoints + _on_demand(found) + unfinished
    if not endpoints and not unfinished:
        lines.append(("endpoint", "", "none"))
    return lines + attention


def _unfinished(stack: str, env: str) -> Row:
    kind, _, name = stack.partition("/")
    if stack == "workbench":
        commands = f"./inv workbench.up{env} or ./inv workbench.down{env}"
    elif stack == "training_host":
        commands = f"./inv ec2.train{env} or ./inv ec2.down{env}"
    else:
        commands = f"./inv up{env} or ./inv down{env}"
    return (
        kind.replace("_", " "),
        name,
        f"unfinished: a run is in progress or was interrupted; {commands} finishes it",
    )


def _data(found: Found) -> Row:
    if not (data := found["data"]):
        return ("data", "", "none")
    if "problem" in data:
        return ("data", "", data["problem"])
    counts = ", ".join(f"{count:,} {split}" for split, count in data["counts"].items())
    return ("data", data["dataset"], f"{counts}; {data['classes']} classes")


def _data_job(job: Found, flag: str) -> str:
    commands = f"./inv data{flag} --on sagemaker follows it, ./inv data{flag} --stop ends it"
    return job["status"] if job["status"] == "Stopping" else f"{job['status']}: {commands}"


def _tuning(found: Found) -> Row:
    if not (tuning := found["tuning"]):
        return ("tuning", "", "none")
    if "problem" in tuning:
        return ("tuning", "", tuning["problem"])
    return ("tuning", tuning["tuning_job"], f"validation accuracy {tuning['best_objective']:.4f}")


def _model(model: Found) -> str:
    dataset = f" on {model['dataset']}" if model["dataset"] else ""
    because = f": {model['because']}" if model["because"] else ""
    return f"{model['approval']}, test accuracy {model['test_accuracy']}{dataset}{because}"


def _endpoint(endpoint: Found) -> list[Row]:
    if "problem" in endpoint:
        return [("endpoint", endpoint["name"], endpoint["problem"])]
    capacity = (
        f"{endpoint['instances']} × {endpoint['instance_type']}"
        if endpoint["instance_type"]
        else "serverless"
    )
    serves = f", {capacity}, model {endpoint['model']}" if endpoint["status"] != "missing" else ""
    drift = f"{_drift(endpoint['drift'])}{_drift(endpoint['other_data'])}"
    lines = [("endpoint", endpoint["name"], f"{endpoint['status']}{serves}{drift}")]
    if failed := endpoint["failed"]:
        text = f"of version {failed['version']} failed at {failed['at']}: {failed['reason']}"
        lines.append(("deployment", endpoint["name"], text))
    if endpoint["function"]:
        state = f"{endpoint['provisioned_concurrency']}{_drift(endpoint['function_drift'])}"
        lines.append(("function", endpoint["function"], state))
    return lines


def _drift(text: str) -> str:
    return f"; {text}" if text else ""


def _on_demand(found: Found) -> list[Row]:
    lines = []
    if host := found["host"]:
        lines.append(("training host", host["instance_id"], f"{host['state']}, {host['instance_type']}"))
    if workbench := found["workbench"]:
        text = f"{workbench['state']}, {workbench['kind']} on {workbench['instance_type']}"
        lines.append(("workbench", workbench["name"], workbench.get("problem", text)))
    return lines


def summary(found: Found) -> str:
    """Return how many findings there are, for the step's note."""
    drifted = sum(
        sum(bool(e.get(name)) for name in ("drift", "function_drift", "other_data"))
        for e in found["endpoints"]
    )
    problems = sum("problem" in (found[name] or {}) for name in ("data", "tuning", "workbench"))
    problems += sum("problem" in endpoint for endpoint in found["endpoints"])
    count = len(found["attention"]) + len(found["unfinished"]) + drifted + problems
    return f"{count} findings need attention" if count else "nothing needs attention"
