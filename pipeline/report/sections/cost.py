"""What search, training and endpoint cost, at the on-demand list prices."""

from __future__ import annotations

from typing import Any

from ops.facts.prices import HOURS, hourly, prices, provisioned_concurrency
from pipeline.report import comparison, words
from pipeline.report.inputs import Endpoint, Inputs, Model

TITLE = "Cost"


def content(inputs: Inputs) -> dict[str, Any]:
    """Return what was paid once, what is paid every month, and the launchers compared."""
    rows = list(inputs.launchers)
    return {
        "once": _once(inputs),
        "monthly": [line for endpoint in inputs.endpoints for line in _endpoint(inputs, endpoint)],
        "deploy": inputs.command("deploy"),
        "train": inputs.command("train"),
        "launchers": list(zip(rows, comparison.cells(rows), strict=True)),
        "columns": comparison.COLUMNS,
        "longest": max((row.billed for row in rows if row.usd != 0), default=0.0),
        "most_expensive": max((row.usd or 0.0 for row in rows), default=0.0),
        "prices": {"region": prices()["region"], "as_of": prices()["as_of"]},
    }


def training_seconds(model: Model) -> float | None:
    """Return the seconds of a version's training; None if they are not known."""
    return _number(model, "training_seconds")


def of_training(model: Model) -> float | None:
    """Return the cost of a version's training in USD; None if it is not known."""
    lineage = model.version.lineage
    if lineage.get("launcher") == "here":
        return 0.0
    price, billed = hourly(lineage.get("instance_type", "")), _number(model, "billable_seconds")
    return None if price is None or billed is None else price * billed / 3600


def per_month(inputs: Inputs) -> str:
    """Return the monthly cost of all endpoints, for people; empty if there is none, or none with a known price."""
    lines = [line for endpoint in inputs.endpoints for line in _endpoint(inputs, endpoint)]
    known = [(line["low"], line["high"]) for line in lines if line["low"] is not None]
    low, high = sum(low for low, _ in known), sum(high for _, high in known)
    return _range(low, high) if known else ""


def _number(model: Model, name: str) -> float | None:
    try:
        return float(model.version.lineage[name])
    except (KeyError, ValueError):
        return None


def _once(inputs: Inputs) -> list[dict[str, Any]]:
    """Return the search and the training of the chosen version."""
    lines = []
    if inputs.search:
        count = len(inputs.search.trials)
        lines.append(
            {"what": f"search, {words.counted(count, 'trial')}", "usd": words.usd(inputs.search.usd)}
        )
    if inputs.chosen:
        usd = of_training(inputs.chosen)
        lines.append({"what": f"training of {inputs.chosen.name}", "usd": words.usd(usd)})
    return lines


def _endpoint(inputs: Inputs, endpoint: Endpoint) -> list[dict[str, Any]]:
    """Return the monthly cost of an endpoint and of its function. low, high: None if the price is not known."""
    outputs = endpoint.outputs
    lines = [_hosting(endpoint)]
    if outputs.provisioned_concurrency:
        memory = inputs.settings.function.memory_mb
        usd = provisioned_concurrency(outputs.provisioned_concurrency, memory, HOURS * 3600)
        what = f"{outputs.provisioned_concurrency} × {memory} MB of provisioned concurrency"
        lines.append({"name": outputs.function_name, "what": what, "low": usd, "high": usd})
    return [{**line, "usd": _shown(line)} for line in lines]


def _hosting(endpoint: Endpoint) -> dict[str, Any]:
    outputs = endpoint.outputs
    if outputs.instance_type is None:
        return {"name": outputs.endpoint_name, "what": "serverless", "low": None, "high": None}
    price = hourly(outputs.instance_type)
    low, high = outputs.min_capacity, outputs.max_capacity
    counted = f"{low}" if low == high else f"{low} to {high}"
    return {
        "name": outputs.endpoint_name,
        "what": f"{counted} × {outputs.instance_type}",
        "low": None if price is None else low * price * HOURS,
        "high": None if price is None else high * price * HOURS,
    }


def _shown(line: dict[str, Any]) -> str:
    if line["low"] is None:
        return "by use" if line["what"] == "serverless" else "price not listed"
    return _range(line["low"], line["high"])


def _range(low: float, high: float) -> str:
    return words.usd(low) if round(low, 2) == round(high, 2) else f"{words.usd(low)} to {words.usd(high)}"
