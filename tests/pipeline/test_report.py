"""The report page: complete, escaped, one file; and what it shows when something is missing."""

from __future__ import annotations

from datetime import datetime, timezone
from html.parser import HTMLParser

import pytest

from ml.jobs import registry, search, trials
from ops.errors import OperatorError
from pipeline.report import comparison, page

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=timezone.utc)
ROWS = [
    comparison.Row("here", "2 × x86_64", 30, 31, 0.0, False, "0.9", 3),
    comparison.Row("ec2", "1 × g5.xlarge Spot", 60, 90, 0.02, True, "0.9", 2),
    comparison.Row("sagemaker", "1 × ml.m5.2xlarge", 100, 100, 0.04, False, "0.9", 1),
    comparison.Row("ec2", "1 × x9.huge", 60, 50, None, False, "0.9", 4),
]
TRIALS = [
    trials.Trial({"batch-size": "64", "_objective": "x"}, "trial-1", "Completed", 0.95, None, None, 12.4),
    trials.Trial({"batch-size": "16"}, "trial-2", "Failed", None, None, None, None),
]
SEARCH = search.SearchResult(
    tuning_job="search-1",
    model={},
    data_hash="h",
    dataset="sample",
    best_training_job="trial-1",
    best_objective=0.95,
    hyperparameters={"batch-size": "64"},
)
VERSION = registry.Version(
    1, "arn", "Approved", NOW, {"training_job": "<job>", "test_accuracy": "0.9", "git_commit": "a" * 40}
)
CONTENT = {
    "environment": "dev",
    "prefix": "image-classifier-dev",
    "region": "us-east-1",
    "dataset": "sample",
    "classes": 10,
    "images": {"train": 1259, "test": 269},
    "comparison": ROWS,
    "search": SEARCH,
    "trials": TRIALS,
    "versions": [VERSION],
    "prices": {"region": "us-east-1", "as_of": "2026-11"},
}


class Page(HTMLParser):
    """The rows of each table as text, the open tags, and the tags that refer to other files."""

    def __init__(self, text: str):
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.open: list[str] = []
        self.references: list[str] = []
        self.styles: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag != "meta":
            self.open.append(tag)
        self.references += [tag] if tag in ("script", "link", "img", "a") else []
        self.styles += [value for name, value in attributes if name == "style"]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data.strip()


def test_the_page_compares_the_launchers():
    parsed = Page(page.render(CONTENT, NOW))
    assert parsed.open == [] and parsed.references == []
    assert '<th>on</th><th>machines</th><th class="number">training s</th>' in page.render(CONTENT, NOW)
    launchers, trials, versions = parsed.tables
    assert launchers[0] == list(comparison.COLUMNS)
    assert [row[0] for row in launchers[1:]] == ["here", "ec2", "sagemaker", "ec2"]
    assert [row[4] for row in launchers[1:]] == ["0.0000", "< 0.0200", "0.0400", "price not listed"]
    # Bars of the billed seconds and of the cost, relative to the largest.
    assert parsed.styles == ["width: 90.0%", "width: 50.0%", "width: 100.0%", "width: 100.0%", "width: 50.0%"]
    assert trials[1:] == [
        ["trial-1", "Completed", "batch-size 64", "0.9500", "12"],
        ["trial-2", "Failed", "batch-size 16", "", ""],
    ]
    assert versions[1][:5] == ["1", "Approved", "0.9", "sagemaker", "<job>"]


def test_text_of_aws_is_escaped():
    text = page.render(CONTENT, NOW)
    assert "&lt;job&gt;" in text and "<job>" not in text


def test_missing_parts_are_reported():
    bare = {**CONTENT, "comparison": [], "search": None, "trials": [], "versions": []}
    text = page.render(bare, NOW)
    for sentence in (
        "No model has been trained on the current data yet",
        "There is no search for the current data",
        "No model version is registered",
    ):
        assert sentence in text
    assert Page(text).tables == []


def test_the_content_is_collected_from_aws(account, dev, monkeypatch):
    monkeypatch.setattr(registry, "versions", lambda *_: [])
    found = page.collect(dev)
    assert (found["dataset"], found["classes"]) == ("sample", 2)
    assert found["images"] == {"train": 10, "valid": 10, "test": 10}
    assert (found["comparison"], found["search"], found["trials"]) == ([], None, [])
    assert "No model has been trained" in page.render(found)


def test_without_a_foundation_the_command_is_named(moto_aws, dev):
    with pytest.raises(OperatorError, match=r"run \./inv apply --stack foundation"):
        page.collect(dev)
