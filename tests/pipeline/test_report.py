"""The page about an environment's models: whole, escaped, of one file; and what it says where there is little."""

from __future__ import annotations

from datetime import datetime, timezone
from html.parser import HTMLParser

import pytest

from ml.jobs import registry
from ml.jobs import search as tune
from ops.errors import OperatorError
from pipeline.report import comparison
from pipeline.report import page as report

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=timezone.utc)
ROWS = [
    comparison.Row("here", "2 × x86_64", 30, 31, 0.0, False, "0.9", 3),
    comparison.Row("ec2", "1 × g5.xlarge Spot", 60, 90, 0.02, True, "0.9", 2),
    comparison.Row("sagemaker", "1 × ml.m5.2xlarge", 100, 100, 0.04, False, "0.9", 1),
    comparison.Row("ec2", "1 × x9.huge", 60, 50, None, False, "0.9", 4),
]
TRIALS = [
    tune.Trial({"batch-size": "64", "_objective": "x"}, "trial-1", "Completed", 0.95, None, None, 12.4),
    tune.Trial({"batch-size": "16"}, "trial-2", "Failed", None, None, None, None),
]
SEARCH = tune.Result("search-1", {}, "h", "sample", "trial-1", 0.95, {"batch-size": "64"})
VERSION = registry.Version(
    1, "arn", "Approved", NOW, {"training_job": "<job>", "test_accuracy": "0.9", "git_commit": "a" * 40}
)
FOUND = {
    "environment": "dev",
    "prefix": "image-classifier-dev",
    "region": "us-east-1",
    "dataset": "sample",
    "classes": 10,
    "pictures": {"train": 1259, "test": 269},
    "comparison": ROWS,
    "search": SEARCH,
    "trials": TRIALS,
    "versions": [VERSION],
    "prices": {"region": "us-east-1", "as_of": "2026-11"},
}


class Page(HTMLParser):
    """Rows of each table as texts; tags that were left open; addresses that lead elsewhere."""

    def __init__(self, text: str):
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.open: list[str] = []
        self.elsewhere: list[str] = []
        self.styles: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag != "meta":
            self.open.append(tag)
        self.elsewhere += [tag] if tag in ("script", "link", "img", "a") else []
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


def test_the_page_compares_the_ways_to_train():
    page = Page(report.render(FOUND, NOW))
    assert page.open == [] and page.elsewhere == []
    assert '<th>on</th><th>machines</th><th class="number">training s</th>' in report.render(FOUND, NOW)
    ways, trials, versions = page.tables
    assert ways[0] == list(comparison.COLUMNS)
    assert [row[0] for row in ways[1:]] == ["here", "ec2", "sagemaker", "ec2"]
    assert [row[4] for row in ways[1:]] == ["0.0000", "< 0.0200", "0.0400", "price not listed"]
    # Bars of the billed seconds, and of the money, as shares of the most.
    assert page.styles == ["width: 90.0%", "width: 50.0%", "width: 100.0%", "width: 100.0%", "width: 50.0%"]
    assert trials[1:] == [
        ["trial-1", "Completed", "batch-size 64", "0.9500", "12"],
        ["trial-2", "Failed", "batch-size 16", "", ""],
    ]
    assert versions[1][:5] == ["1", "Approved", "0.9", "sagemaker", "<job>"]


def test_what_aws_says_is_text_not_markup():
    text = report.render(FOUND, NOW)
    assert "&lt;job&gt;" in text and "<job>" not in text


def test_what_is_not_there_yet_is_said():
    bare = {**FOUND, "comparison": [], "search": None, "trials": [], "versions": []}
    page = report.render(bare, NOW)
    for told in (
        "No model has been trained on the present data yet",
        "There is none for the present data",
        "None is registered",
    ):
        assert told in page
    assert Page(page).tables == []


def test_it_is_collected_from_aws(account, dev, foundation, manifest, monkeypatch):
    monkeypatch.setattr(registry, "versions", lambda *_: [])
    found = report.collect(dev)
    assert (found["dataset"], found["classes"], found["pictures"]) == (
        "sample",
        2,
        {"train": 10, "valid": 10, "test": 10},
    )
    assert (found["comparison"], found["search"], found["trials"]) == ([], None, [])
    assert "No model has been trained" in report.render(found)


def test_without_a_foundation_the_task_is_named(moto_aws, dev):
    with pytest.raises(OperatorError, match=r"run \./inv apply --stack foundation"):
        report.collect(dev)
