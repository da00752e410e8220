"""Tags, alarms and budget of an environment: valid values are used, invalid ones are refused by name."""

from __future__ import annotations

import pytest

from ops import settings
from ops.errors import OperatorError

GOOD = """
region = "eu-west-1"
[tuning.continuous]
learning-rate = { min = 0.001, max = 0.1 }
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads an environment with additional text."""
    monkeypatch.setattr(settings, "FOLDER", tmp_path)

    def from_text(text: str) -> settings.Settings:
        (tmp_path / "trial.toml").write_text(GOOD + text)
        return settings.load("trial")

    return from_text


def test_tags_name_the_application_and_its_owner(load):
    assert load("").cost_tags == {"Application": "image-classifier-trial"}
    loaded = load('[tags]\nowner = "ML platform"\ncost_center = "4711"\nttl_days = 14\n')
    assert loaded.cost_tags == {
        "Application": "image-classifier-trial",
        "Owner": "ML platform",
        "CostCenter": "4711",
        "TTL": "14d",
    }


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[tags]\nowner = "a;b"', "tags.owner"),
        ("[tags]\nttl_days = 0", "tags.ttl_days"),
        ('[observability]\nemails = ["team"]', "observability.emails.0"),
        ("[observability]\nsilent_minutes = 1441", "observability.silent_minutes"),
        ("[observability]\nendpoint_p99_ms = 60001", "observability.endpoint_p99_ms"),
        ("[budget]\nmonthly_usd = 0", "budget.monthly_usd"),
    ],
)
def test_an_invalid_value_is_refused_by_name(load, text, place):
    with pytest.raises(OperatorError, match=place):
        load(text)


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_an_environment_on_aws_has_a_budget(name):
    assert settings.load(name).budget.monthly_usd
