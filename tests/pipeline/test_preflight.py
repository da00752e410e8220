"""What each command needs of the account's quotas, and that it stops before it costs anything."""

from __future__ import annotations

from collections import Counter

import pytest

from ml.jobs import search, training
from ops import live_endpoint
from ops.errors import OperatorError
from ops.facts import sagemaker_quotas as names
from ops.live_endpoint import LiveEndpoint
from ops.outputs import endpoint_name
from ops.quotas import needs, usage
from ops.quotas.usage import Fleet
from ops.settings.serving import (
    AsynchronousSettings,
    SecondVariantSettings,
    ServerlessSettings,
    ShadowVariantSettings,
)
from pipeline import preflight
from tests.environments import with_settings

TRAINING = names.for_training("ml.m5.2xlarge", False)[0]
SPOT = names.for_training("ml.m5.2xlarge", True)[0]
ENDPOINT = names.for_endpoint("ml.m5.large")[0]
GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev"
NAME = "image-classifier-dev"


class Asked:
    """The account of the test, and the needs that were checked.

    jobs, fleets: what is in use.
    live: the endpoint of the environment.
    due: stages with something to do.
    """

    def __init__(self):
        self.jobs: Counter = Counter()
        self.fleets: dict[str, Fleet] = {}
        self.live: LiveEndpoint | None = None
        self.due = {"tune", "train"}
        self.needs: list[needs.Need] = []
        self.concurrency: needs.Concurrency | None = None

    def check(self, env, command, found, concurrency):
        self.needs, self.concurrency = [need for need in found if need.more > 0], concurrency
        return ["a note"]

    def more(self, name: str, later: bool = False) -> list[tuple[float, float]]:
        """Return what is needed of a quota, and what is in use."""
        return [(need.more, need.used) for need in self.needs if (need.name, need.later) == (name, later)]


@pytest.fixture
def asked(monkeypatch) -> Asked:
    found = Asked()
    monkeypatch.setattr(needs, "check", found.check)
    monkeypatch.setattr(usage, "training_instances", lambda env: found.jobs)
    monkeypatch.setattr(
        usage, "processing_instances", lambda env: Counter({"ml.m5.xlarge": 2, "ml.m5.large": 1})
    )
    monkeypatch.setattr(usage, "fleets", lambda env: found.fleets)
    monkeypatch.setattr(live_endpoint, "find", lambda env, name: found.live)
    monkeypatch.setattr(search, "is_due", lambda env: "tune" in found.due)
    monkeypatch.setattr(training, "is_due", lambda env, launcher: "train" in found.due)
    return found


@pytest.fixture
def in_service(asked) -> None:
    """The environment's endpoint serves version 1 with two instances; another endpoint has three."""
    asked.live = LiveEndpoint(NAME, "InService", "c", {"AllTraffic": f"{GROUP}/1"}, {"AllTraffic": 2})
    asked.fleets = {NAME: Fleet(Counter({"ml.m5.large": 2})), "other": Fleet(Counter({"ml.m5.large": 3}))}


def quiet(text: str) -> None:
    """Show nothing."""


def test_a_search_needs_its_parallel_trials(asked, dev):
    asked.jobs = Counter(
        {("ml.m5.2xlarge", False): 3, ("ml.g5.xlarge", False): 2, ("ml.m5.2xlarge", True): 9}
    )
    shown: list[str] = []
    env = with_settings(dev, tuning={"max_jobs": 9, "max_parallel_jobs": 4}, training={"spot": True})
    preflight.check_tuning(env, "./inv tune", shown.append)
    assert asked.more(TRAINING) == [(4, 3)]  # trials are no spot instances
    assert asked.more(names.ALL_TRAINING) == [(4, 5)]
    assert asked.more(names.PARALLEL_TRIALS) == [(4, 0)]
    assert shown == ["a note"]


@pytest.mark.parametrize(("spot", "name"), [(False, TRAINING), (True, SPOT)])
def test_a_training_needs_its_instances(asked, dev, spot, name):
    preflight.check_training(with_settings(dev, training={"spot": spot}), "./inv train", quiet, 3)
    assert asked.more(name) == [(3, 0)] and len(asked.needs) == 2


def test_a_data_job_needs_one_instance(asked, dev):
    preflight.check_data(dev, "./inv data", quiet)
    of_type, of_all = names.for_processing("ml.m5.xlarge")
    assert asked.more(of_type) == [(1, 2)] and asked.more(of_all) == [(1, 3)]


def test_a_new_environment_needs_everything(asked, dev, moto_aws):
    preflight.check_everything(dev, "./inv up", quiet)
    assert asked.more(TRAINING) == [(1, 0), (1, 0)]
    assert asked.more(ENDPOINT) == [(1, 0)] == asked.more(names.ALL_ENDPOINTS)
    assert asked.more(ENDPOINT, later=True) == [(3, 0)]  # autoscaling
    assert asked.concurrency == needs.Concurrency("function.provisioned_concurrency", 2)


def test_stages_that_have_run_need_nothing(asked, dev, account, in_service, serving):
    account.publish(f"serving/{NAME}", serving.model_dump())
    asked.due = set()
    preflight.check_everything(dev, "./inv up", quiet)
    assert asked.needs == []
    assert asked.concurrency == needs.Concurrency("function.provisioned_concurrency", 0)


def test_a_stage_after_an_outdated_one_has_something_to_do(asked, dev, account, in_service, monkeypatch):
    def outdated(env):
        raise OperatorError("no data")

    monkeypatch.setattr(search, "is_due", outdated)
    asked.due = set()
    preflight.check_everything(dev, "./inv up", quiet)
    assert asked.more(TRAINING) and asked.more(ENDPOINT) == [(2, 5)]


def deploys(asked, env, package: str = f"{GROUP}/2") -> list[tuple[float, float]]:
    preflight.check_deployment(env, "./inv deploy", quiet, endpoint_name(env.settings, None), package)
    return asked.more(ENDPOINT)


def test_an_update_needs_a_second_fleet_of_the_live_size(asked, dev, account, in_service):
    assert deploys(asked, dev) == [(2, 5)]
    assert deploys(asked, with_settings(dev, serving={"autoscaling": scaling(dev, max_capacity=1)})) == [
        (1, 5)
    ]
    assert deploys(asked, dev, f"{GROUP}/1") == []  # it serves this version already


def test_a_rolling_update_needs_a_batch(asked, dev, account, in_service):
    rolling = dev.settings.serving.deployment.model_copy(
        update={"traffic_shifting": "rolling", "step_percentage": 50}
    )
    assert deploys(asked, with_settings(dev, serving={"deployment": rolling})) == [(1, 5)]


def test_another_instance_type_needs_its_own_quota(asked, dev, account, in_service):
    asked.fleets[NAME] = Fleet(Counter({"ml.c5.large": 2}))
    assert deploys(asked, dev, f"{GROUP}/1") == [(2, 3)]


def test_a_failed_endpoint_is_created_anew(asked, dev, account):
    asked.live = LiveEndpoint(NAME, "Failed")
    asked.fleets = {NAME: Fleet()}
    assert deploys(asked, dev) == [(1, 0)]


def test_second_and_shadow_variants_need_instances_too(asked, dev, account):
    second = SecondVariantSettings(model=1, traffic_percentage=10)
    assert deploys(asked, with_settings(dev, serving={"second": second})) == [(2, 0)]
    assert asked.more(ENDPOINT, later=True) == [(6, 0)]
    shadow = ShadowVariantSettings(model=1, instance_count=4)
    assert deploys(asked, with_settings(dev, serving={"shadow": shadow})) == [(5, 0)]


def test_a_serverless_endpoint_needs_concurrency_and_no_instances(asked, dev, account):
    asked.fleets = {NAME: Fleet(concurrency=9), "other": Fleet(concurrency=2)}
    env = with_settings(dev, serving={"serverless": ServerlessSettings(max_concurrency=7)})
    assert deploys(asked, env) == []
    assert asked.more(names.SERVERLESS_CONCURRENCY) == [(7, 2)]


def test_an_asynchronous_endpoint_has_no_function(asked, dev, account):
    deploys(asked, with_settings(dev, serving={"asynchronous": AsynchronousSettings()}))
    assert asked.concurrency is None


def test_a_function_takes_its_reservation_or_what_it_provisions_more(asked, dev, account, serving):
    reserved = with_settings(dev, function={"reserved_concurrency": 40})
    deploys(asked, reserved)
    assert asked.concurrency == needs.Concurrency("function.reserved_concurrency", 40)
    account.publish(f"serving/{NAME}", serving.model_dump())
    deploys(asked, reserved)
    assert asked.concurrency == needs.Concurrency("function.reserved_concurrency", 0)
    deploys(asked, with_settings(dev, function={"provisioned_concurrency": 7}))
    assert asked.concurrency == needs.Concurrency("function.provisioned_concurrency", 5)


def scaling(env, **changes):
    return env.settings.serving.autoscaling.model_copy(update=changes)
