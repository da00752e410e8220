"""The options of the report's command, and what it prints."""

from __future__ import annotations

import webbrowser

import pytest

from cli.program import _joined
from ops.errors import Refused
from pipeline.report import published
from tests.pipeline.report import report_kit


@pytest.mark.parametrize("text", ["3,7", "3, 7", "3 7", " 3 ,7 "])
def test_two_versions_are_understood(text):
    assert published.parse_pair(text) == (3, 7)


@pytest.mark.parametrize("text", ["3", "3,", "a,b", "3,7,9", "3,3", "", "-1,2"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(Refused, match="such as --compare 3,7"):
        published.parse_pair(text)


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["report", "--compare", "3", "7", "--open"], ["report", "--compare", "3,7", "--open"]),
        (["report", "--compare", "3,7"], ["report", "--compare", "3,7"]),
        (["report", "--compare", "3", "--version", "7"], ["report", "--compare", "3", "--version", "7"]),
        (["deploy", "--model", "3", "7"], ["deploy", "--model", "3", "7"]),
        (["report", "--compare", "3", "7", "9"], ["report", "--compare", "3,7", "9"]),
    ],
)
def test_two_words_after_compare_are_one_value(words, joined):
    assert _joined(words) == joined


def test_the_summary_names_the_page_and_its_versions(tmp_path):
    path = tmp_path / "report.html"
    path.write_bytes(b"x" * 1234)
    found = published.summary(path, report_kit.inputs(2))
    assert (found["report"], found["bytes"]) == (str(path), 1234)
    assert (found["version"], found["compared"]) == (5, [4, 5])
    assert [row["on"] for row in found["comparison"]] == ["here", "sagemaker"]
    assert published.summary(path, report_kit.empty_inputs())["version"] is None


def test_without_a_browser_the_operator_gets_a_sentence(tmp_path, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or False)
    said: list[str] = []
    monkeypatch.setattr(published, "say", said.append)
    published.show(tmp_path / "report.html")
    assert opened == [(tmp_path / "report.html").as_uri()]
    assert said == [
        f"There is no browser here: copy {tmp_path}/report.html to a machine with one. It is a single file."
    ]
