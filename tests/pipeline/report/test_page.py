"""The page is complete, escaped and one file; what is missing has words."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import pytest

from pipeline.report import page
from pipeline.report.inputs import Inputs
from pipeline.report.sections import (
    calibration,
    classes,
    confusion,
    data,
    mistakes,
    overview,
    stages,
    training,
    versions,
)
from tests.pipeline.report import report_kit as kit

VOID = ("meta", "img", "wbr")
TITLES = [section.TITLE for section in page.SECTIONS]


class Page(HTMLParser):
    """The text of each section, without whitespace at its ends; open tags; what refers to other files."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: dict[str, str] = {}
        self.images: dict[str, list[str]] = {}
        self.tags: set[str] = set()
        self.references: list[str] = []
        self._open: list[str] = []
        self._section = ""
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.add(tag)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "section":
            self._section = given["id"]
        if tag == "img":
            self.images.setdefault(self._section, []).append(given["src"])
            assert "alt" in given
        self.references += [
            given[name] for name in ("href", "src", "srcset", "action", "data") if name in given
        ]
        assert not [name for name in given if name.startswith("on")]

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._section and "svg" not in self._open:
            self.sections[self._section] = f"{self.sections.get(self._section, '')} {' '.join(data.split())}"


@pytest.fixture(scope="module")
def full() -> str:
    """A page with everything, and a class whose name is markup."""
    return page.render(kit.inputs(10, evil=True, trials=24))


@pytest.fixture(scope="module")
def parsed(full) -> Page:
    return Page(full)


def test_every_section_is_there_with_content(parsed):
    assert list(parsed.sections) == [section.__name__.rpartition(".")[2] for section in page.SECTIONS]
    assert all(len(text) > 100 for text in parsed.sections.values())


def test_the_page_refers_to_nothing_outside(full, parsed):
    assert {reference.split(":")[0] for reference in parsed.references if not reference.startswith("#")} == {
        "data"
    }
    assert "://" not in full.replace("s3://", "").replace("arn:", "")
    assert "default-src 'none'" in full
    assert not {"script", "link", "iframe", "object", "form"} & parsed.tags


def test_names_of_classes_and_files_are_escaped(full):
    assert "<script" not in full
    assert full.count("&lt;script&gt;") > 10


def test_the_table_of_contents_leads_to_the_sections(parsed):
    wanted = {f"#{name}" for name in parsed.sections}
    assert wanted <= set(parsed.references)


def test_the_most_important_numbers_are_shown(parsed):
    inputs = kit.inputs(10, evil=True)
    evaluation = inputs.models[0].evaluation
    assert evaluation is not None
    assert f"{evaluation.accuracy:.1%}" in parsed.sections["overview"]
    assert (
        "$89.43 to $257.33" in parsed.sections["overview"]
    )  # 1 to 3 ml.m5.large, and two execution environments
    assert "47 min 38 s" in parsed.sections["stages"]
    assert "saved about 1 h 21 min and $1.91" in parsed.sections["search"]
    assert "1 of them in different splits" in parsed.sections["data"]
    assert "8.3%" in parsed.sections["calibration"] and "1.9%" in parsed.sections["calibration"]
    assert inputs.manifest.hash in parsed.sections["lineage"]
    assert "4be1c0ffee" in parsed.sections["lineage"]


def test_images_are_inside_the_page_and_bounded(parsed):
    assert {source.split(";")[0] for sources in parsed.images.values() for source in sources} == {
        "data:image/jpeg"
    }
    assert len(parsed.images["mistakes"]) == 24
    assert len(parsed.images["data"]) <= 60 + 16 + 16


def test_a_page_of_many_classes_stays_small():
    text = page.render(kit.inputs(133), (data, confusion, classes, mistakes, versions))
    assert len(text.encode()) < 2_500_000
    assert Page(text).sections["confusion"].count("images of the test split are predicted wrongly") == 1


def test_an_environment_without_a_model_has_words_in_every_section():
    parsed = Page(page.render(kit.empty_inputs()))
    commands = {
        "overview": "./inv train --env dev",
        "stages": "./inv deploy --env dev",
        "data": "./inv data --env dev",
        "search": "./inv tune --env dev",
        "training": "./inv train --env dev",
        "confusion": "./inv train --env dev",
        "classes": "./inv train --env dev",
        "calibration": "./inv train --env dev",
        "mistakes": "./inv train --env dev",
        "versions": "./inv train --env dev",
        "cost": "./inv deploy --env dev",
        "lineage": "./inv train --env dev",
    }
    assert commands.keys() == parsed.sections.keys()
    assert {name: command for name, command in commands.items() if command not in parsed.sections[name]} == {}


def without_documents(inputs: Inputs) -> Inputs:
    """Return inputs whose models are of an earlier version of this repository."""
    models = [
        dataclasses.replace(model, evaluation=None, history=[], hyperparameters={}) for model in inputs.models
    ]
    return dataclasses.replace(
        inputs, models=models, chosen=models[0], compared=(models[1], models[0]), problems=None, times={}
    )


def test_a_model_without_an_evaluation_has_words_with_the_command():
    shown = (overview, stages, training, confusion, classes, calibration, mistakes, versions)
    parsed = Page(page.render(without_documents(kit.inputs(3)), shown))
    again = "./inv train --env dev --again"
    for name in ("overview", "training", "confusion", "classes", "calibration", "mistakes"):
        assert again in parsed.sections[name], name
    assert "version 4 and version 5 have no stored evaluation" in parsed.sections["versions"]
    assert "time not known" in parsed.sections["stages"]


def test_a_perfect_model_has_words_instead_of_mistakes():
    inputs = kit.inputs(3)
    evaluation = kit.evaluation(inputs.manifest.classes, accuracy=1.0)
    evaluation = evaluation.model_copy(update={"mistakes": [], "label_issues": []})
    chosen = dataclasses.replace(inputs.models[0], evaluation=evaluation)
    perfect = dataclasses.replace(inputs, chosen=chosen, models=[chosen], compared=None)
    parsed = Page(page.render(perfect, (confusion, mistakes, versions)))
    assert "makes no mistake on the test split" in parsed.sections["mistakes"]
    assert "there is no confused pair" in parsed.sections["confusion"]
    assert "There is one version so far" in parsed.sections["versions"]


def test_an_image_that_is_gone_has_words():
    class Nothing:
        def of(self, dataset, keys, side=96):
            return {}

    gone = dataclasses.replace(kit.inputs(3), thumbnails=Nothing())
    parsed = Page(page.render(gone, (data, mistakes)))
    assert parsed.images == {}
    assert "no image" in parsed.sections["mistakes"]
    assert "No image could be read" in parsed.sections["data"]


def test_a_model_of_other_data_is_marked():
    inputs = kit.inputs(3)
    other = dataclasses.replace(inputs, manifest=kit.manifest(kit.class_names(4)))
    assert "current data are others" in Page(page.render(other, (overview,))).sections["overview"]
