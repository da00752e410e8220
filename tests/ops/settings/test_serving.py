"""Section [serving]: one inference type; an invalid combination is refused with its name and a remedy."""

from pathlib import Path

import pytest

from ops import settings
from ops.errors import OperatorError

TUNING = """
[tuning]
max_jobs = 4
[tuning.continuous]
learning-rate = { min = 0.001, max = 0.1 }
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch):
    """Return a function that loads an environment with this [serving] section."""
    monkeypatch.setattr(settings, "FOLDER", tmp_path)

    def from_text(text: str) -> settings.ServingSettings:
        (tmp_path / "trial.toml").write_text(f'region = "eu-west-1"\n{TUNING}\n[serving]\n{text}')
        return settings.load("trial").serving

    return from_text


def test_defaults(load):
    serving = load("")
    scaling = serving.autoscaling
    assert (scaling.min_capacity, scaling.max_capacity) == (1, 3)
    assert (scaling.scale_in_cooldown, scaling.scale_out_cooldown) == (30, 300)
    assert serving.deployment.traffic_shifting == "all_at_once"
    assert not serving.data_capture.enabled
    assert serving.hosting == {"instance": {"type": "ml.m5.large", "initial_count": 1}}


def test_a_full_section_is_accepted(load):
    serving = load(
        """
        instance_type = "ml.c5.large"
        second = { model = 2, traffic_percentage = 20 }
        data_capture = { enabled = true, prefix = "capture/trial/" }
        [serving.autoscaling]
        target_concurrent_requests_per_model = 5
        [[serving.autoscaling.schedules]]
        name = "day"
        schedule = "cron(0 8 ? * MON-FRI *)"
        timezone = "Europe/Berlin"
        min_capacity = 2
        [serving.deployment]
        traffic_shifting = "canary"
        step_percentage = 10
        """
    )
    assert serving.second.traffic_percentage == 20
    assert serving.autoscaling.schedules[0].min_capacity == 2


def test_only_an_asynchronous_endpoint_scales_to_zero(load):
    assert (
        load("autoscaling = { min_capacity = 0 }\nasynchronous = {}").hosting["asynchronous"]["initial_count"]
        == 1
    )
    with pytest.raises(
        OperatorError, match=r"serving: autoscaling.min_capacity 0: only an asynchronous endpoint"
    ):
        load("autoscaling = { min_capacity = 0 }")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("serverless = {}\nasynchronous = {}", "serverless or asynchronous: remove one"),
        ('serverless = {}\ninstance_type = "ml.m5.large"', "has no instances: remove instance_type"),
        (
            "serverless = {}\ndata_capture = { enabled = true }",
            "cannot capture data: set data_capture.enabled = false",
        ),
        ("serverless = {}\nsecond = { model = 2, traffic_percentage = 20 }", "has one variant"),
        (
            'serverless = {}\ndeployment = { traffic_shifting = "linear", step_percentage = 10 }',
            "shifts all traffic at once",
        ),
        ("serverless = { memory_mb = 3000 }", "serving.serverless.memory_mb: Input should be 1024"),
        ("serverless = { max_concurrency = 1, provisioned_concurrency = 2 }", "2 exceeds max_concurrency 1"),
        (
            "serverless = { memory = 1 }",
            "valid settings are max_concurrency, memory_mb, provisioned_concurrency",
        ),
        ("asynchronous = {}\nshadow = { model = 2 }", "asynchronous endpoint cannot have a shadow variant"),
        ('asynchronous = { prefix = "answers/" }', "serving.asynchronous.prefix"),
        (
            "second = { model = 2, traffic_percentage = 20 }\nshadow = { model = 2 }",
            "either a second variant or a shadow",
        ),
        ("second = { model = 2, traffic_percentage = 12.5 }", "serving.second.traffic_percentage"),
        ('data_capture = { prefix = "datasets/" }', "serving.data_capture.prefix"),
        (
            'instance_type = "ml.t2.medium"',
            "ml.t2.medium cannot scale: SageMaker refuses autoscaling for burstable types",
        ),
        ('deployment = { traffic_shifting = "canary" }', "need either step_percentage or step_instances"),
        ("deployment = { step_instances = 1 }", "all_at_once takes neither"),
        (
            'deployment = { traffic_shifting = "linear", step_percentage = 5 }',
            "step_percentage 5: a linear update takes 10 to 50",
        ),
        (
            'deployment = { traffic_shifting = "rolling", step_percentage = 4 }',
            "step_percentage 4: a rolling update takes 5 to 50",
        ),
        (
            'deployment = { traffic_shifting = "rolling", step_instances = 1 }\nsecond = { model = 2, traffic_percentage = 9 }',
            "cannot do a rolling update of two variants",
        ),
        (
            'autoscaling = { schedules = [{ name = "day", schedule = "rate(1 day)" }] }',
            "give min_capacity, max_capacity or both",
        ),
        (
            'autoscaling = { schedules = [{ name = "day", schedule = "rate(1 day)", least = 1 }] }',
            "valid settings are max_cap",
        ),
        (
            'autoscaling = { schedules = [{ name = "day", schedule = "0 8 * * *", min_capacity = 1 }] }',
            "schedules.0.sc",
        ),
        (
            'autoscaling = { schedules = [{ name = "a", schedule = "rate(1 day)", min_capacity = 4, max_capacity = 2 }] }',
            "min_capacity 4 exceeds max_capacity 2",
        ),
        (
            "[[serving.autoscaling.schedules]]\n"
            + (same := 'name = "a"\nschedule = "rate(1 day)"\nmin_capacity = 1\n')
            + f"[[serving.autoscaling.schedules]]\n{same}",
            "two schedules are named a",
        ),
    ],
)
def test_invalid_combinations_are_refused(load, text, message):
    with pytest.raises(OperatorError) as refused:
        load(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
