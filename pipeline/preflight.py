"""The check of the account's quotas before a command starts the first job or endpoint.

A quota that is too small would otherwise stop the command after hours of paid training.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator

from ml.jobs import search, training
from ml.jobs.launchers.sagemaker import SageMakerLauncher
from ops import live_endpoint
from ops.environment import Environment
from ops.errors import OperatorError
from ops.facts import images
from ops.facts import sagemaker_quotas as names
from ops.facts.instance_types import check_instance_type
from ops.outputs import endpoint_name
from ops.quotas import needs, usage
from ops.quotas.needs import Concurrency, Need
from pipeline import deployable, live_checks

Show = Callable[[str], None]

_NOT_SERVING = ("Failed", "OutOfService")  # a deployment replaces such an endpoint


def check_settings(env: Environment) -> None:
    """Check what `up` needs besides quotas, before its first stage. Raises Refused."""
    check_instance_type(env.settings.training.instance_type, "training")
    images.account_id(env.settings.region)
    endpoint = env.settings.prefix
    deployed, live = env.outputs.find_serving(endpoint), live_endpoint.find(env, endpoint)
    if deployed and live and live.status not in _NOT_SERVING:
        live_checks.check_convertible(env.settings, deployed)
    deployable.check_hosting(env)


def check_tuning(env: Environment, command: str, show: Show) -> None:
    """Check the quotas of a search. show: called with each note. Raises OperatorError if one is too small."""
    _check(env, command, [*_tuning(env)], None, show)


def check_training(env: Environment, command: str, show: Show, instances: int) -> None:
    """Check the quotas of a training job of so many instances. Raises OperatorError if one is too small."""
    _check(env, command, [*_training(env, instances)], None, show)


def check_data(env: Environment, command: str, show: Show) -> None:
    """Check the quotas of a data job. Raises OperatorError if one is too small."""
    kind, used = env.settings.data.processing.instance_type, usage.processing_instances(env)
    of_type, of_all = names.for_processing(kind)
    found = [Need(of_type, "the data job", 1, used[kind]), Need(of_all, "the data job", 1, used.total())]
    _check(env, command, found, None, show)


def check_deployment(env: Environment, command: str, show: Show, endpoint: str, package: str) -> None:
    """Check the quotas of the deployment of a model package. Raises OperatorError if one is too small.

    endpoint: full name.
    """
    _check(env, command, [*_endpoint(env, endpoint, package)], _function(env, endpoint), show)


def check_everything(env: Environment, command: str, show: Show) -> None:
    """Check the quotas of all stages that have something to do. Raises OperatorError if one is too small."""
    found: list[Need] = []
    tunes = _is_due(lambda: search.is_due(env))
    trains = tunes or _is_due(lambda: training.is_due(env, SageMakerLauncher(env)))
    if tunes:
        found += _tuning(env)
    if trains:
        found += _training(env, env.settings.training.instance_count)
    endpoint = endpoint_name(env.settings, None)
    if trains or live_endpoint.find(env, endpoint) is None:
        found += _endpoint(env, endpoint, package=None)
    _check(env, command, found, _function(env, endpoint), show)


def _check(
    env: Environment, command: str, found: list[Need], concurrency: Concurrency | None, show: Show
) -> None:
    for note in needs.check(env, command, found, concurrency):
        show(note)


def _is_due(ask: Callable[[], bool]) -> bool:
    """Return whether a stage has something to do: also if an earlier stage is missing or outdated."""
    try:
        return ask()
    except OperatorError:
        return True


def _tuning(env: Environment) -> Iterator[Need]:
    tuning = env.settings.tuning
    parallel = min(tuning.max_parallel_jobs, tuning.number_of_jobs)
    yield Need(names.PARALLEL_TRIALS, "tuning.max_parallel_jobs", parallel)
    what = f"tuning, with {parallel} trial{'s' * (parallel > 1)} at a time,"
    yield from _instances(env, parallel, tuning.spot, what)


def _training(env: Environment, instances: int) -> Iterator[Need]:
    yield from _instances(env, instances, env.settings.training.spot, "training")


def _instances(env: Environment, count: int, spot: bool, what: str) -> Iterator[Need]:
    kind = env.settings.training.instance_type
    used = usage.training_instances(env)
    of_type, of_all = names.for_training(kind, spot)
    yield Need(of_type, what, count, used[kind, spot])
    market = sum(number for (_, is_spot), number in used.items() if is_spot == spot)
    yield Need(of_all, what, count, market)


def _endpoint(env: Environment, endpoint: str, package: str | None) -> Iterator[Need]:
    """Yield what a deployment needs. package: None for a model that is yet to be trained."""
    serving, fleets = env.settings.serving, usage.fleets(env)
    others = [fleet for name, fleet in fleets.items() if name != endpoint]
    if serving.serverless:
        used = sum(fleet.concurrency for fleet in others)
        what = "serving.serverless.max_concurrency"
        yield Need(names.SERVERLESS_CONCURRENCY, what, serving.serverless.max_concurrency, used)
        return
    live = live_endpoint.find(env, endpoint)
    updates = live is not None and live.status not in _NOT_SERVING
    own = fleets.get(endpoint, usage.Fleet()).instances if updates else Counter()
    elsewhere = sum((fleet.instances for fleet in others), Counter[str]())
    kind = serving.instance_type
    if live is not None and updates and own[kind] and package == live.package:
        return  # at most other settings change: SageMaker decides
    more = _new_fleet(env, live.desired if live is not None and updates else {}, updates)
    what = "the second fleet of the update" if updates else f"endpoint {endpoint}"
    largest = max(_largest_fleet(env), 2 * _new_fleet(env, {}, False))
    later = "scaling to serving.autoscaling.max_capacity, or the second fleet of the next update,"
    of_type, of_all = names.for_endpoint(kind)
    for name, mine, foreign in (
        (of_type, own[kind], elsewhere[kind]),
        (of_all, own.total(), elsewhere.total()),
    ):
        yield Need(name, what, more, mine + foreign)
        yield Need(name, later, largest - mine, mine + foreign, later=True)


def _new_fleet(env: Environment, desired: dict[str, int], rolls: bool) -> int:
    """Return how many instances a deployment starts, next to those that serve until then.

    desired: instances of each variant of the live endpoint; a new fleet is as large.
    rolls: whether a rolling update starts a batch only.
    """
    serving = env.settings.serving
    deployment, scaling = serving.deployment, serving.autoscaling
    counts = [max(serving.initial_instance_count, *desired.values(), 0)] * (2 if serving.second else 1)
    if scaling.enabled:
        counts = [min(scaling.max_capacity, max(scaling.min_capacity, count)) for count in counts]
    if serving.shadow:
        counts.append(serving.shadow.instance_count)
    if rolls and deployment.traffic_shifting == "rolling":
        share = (deployment.step_percentage or 0) / 100
        return sum(deployment.step_instances or math.ceil(count * share) for count in counts)
    return sum(counts)


def _largest_fleet(env: Environment) -> int:
    serving = env.settings.serving
    if not serving.autoscaling.enabled:
        return 0
    shadow = serving.shadow.instance_count if serving.shadow else 0
    return serving.autoscaling.max_capacity * (2 if serving.second else 1) + shadow


def _function(env: Environment, endpoint: str) -> Concurrency | None:
    """Return what the function takes from the account's concurrency, in addition to what it has."""
    settings = env.settings.function
    if env.settings.serving.asynchronous:
        return None
    deployed = env.outputs.find_serving(endpoint)
    if settings.reserved_concurrency is not None:
        more = 0 if deployed else settings.reserved_concurrency
        return Concurrency("function.reserved_concurrency", more)
    wanted = max(
        settings.provisioned_concurrency, *(s.provisioned_concurrency for s in settings.schedules), 0
    )
    has = deployed.provisioned_concurrency if deployed else 0
    return Concurrency("function.provisioned_concurrency", wanted - has)
