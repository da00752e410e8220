"""The plots: valid SVG without references, with texts, that shows what the data say."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.report.documents import Bin
from pipeline.report.plots import counts, curves, evaluation, search
from pipeline.report.plots.search import Point
from pipeline.report.plots.theme import Plot
from tests.pipeline.report import report_kit

CLASSES = [report_kit.EVIL, 'it\'s "quoted" \\ and\nbroken', "ß & <b>"]
POINTS = [
    Point(1, 0.5, {"rate": "0.1", "optimizer": "sgd"}, 0.1),
    Point(2, 0.7, {"rate": "0.001", "optimizer": "adamw"}, 0.2),
    Point(3, 0.6, {"rate": "0.01", "optimizer": "sgd"}, None),
]


def parsed(plot: Plot) -> ElementTree.Element:
    """Return the SVG, which must be well-formed and refer to nothing but itself."""
    assert plot.title and plot.caption.endswith(".") and plot.text
    assert re.findall(r"https?:|<script|javascript:|data:", str(plot.svg)) == []
    return ElementTree.fromstring(str(plot.svg))


def texts(plot: Plot) -> list[str]:
    return [element.text or "" for element in parsed(plot).iter("text")]


def test_a_class_with_markup_as_name_is_a_text():
    data = {"train": dict.fromkeys(CLASSES, 3), "test": dict.fromkeys(CLASSES, 1)}
    assert any("<script>" in text for text in texts(counts.class_counts(data)))
    assert any(
        "<script>" in text for text in texts(evaluation.confusion(CLASSES, [[2, 1, 0], [0, 3, 0], [0, 0, 3]]))
    )
    assert any(
        "<script>" in text for text in texts(evaluation.differences(CLASSES, [0.1, -0.2, 0.3], "a", "b"))
    )


def test_control_characters_are_replaced():
    found = texts(counts.class_counts({"train": {"a\0b": 1, "\x1f\x08\ufffe": 2}}))
    assert "a\ufffdb" in found and "\ufffd\ufffd\ufffd" in found


def test_the_cells_of_a_small_matrix_have_their_numbers():
    matrix = [[20, 3], [1, 17]]
    assert {"20", "3", "1", "17"} <= set(texts(evaluation.confusion(["a", "b"], matrix)))
    assert "37 of 41 images are on the diagonal, 4 are not" in evaluation.confusion(["a", "b"], matrix).text


def test_a_large_matrix_has_no_numbers_and_only_cells_with_images():
    size = 133
    matrix = [[9 if row == column else 0 for column in range(size)] for row in range(size)]
    plot = evaluation.confusion([f"class {n}" for n in range(size)], matrix)
    assert "9" not in texts(plot)
    assert len(plot.svg) < 60_000


def test_many_classes_are_drawn_by_rank():
    few = counts.class_counts({"train": {f"class {n}": n + 1 for n in range(counts.NAMED)}})
    many = counts.class_counts({"train": {f"class {n}": n + 1 for n in range(counts.NAMED + 1)}})
    assert "class 3" in texts(few) and "class 3" not in texts(many)
    assert "the largest is class 30 with 31 images, the smallest class 0 with 1" in many.text


def test_the_axes_of_the_search_have_names_and_ends():
    found = texts(search.parallel_coordinates(POINTS, "validation accuracy"))
    assert {"optimizer", "rate", "sgd", "adamw", "0.001", "0.1"} <= set(found)


def test_the_texts_of_the_search_name_the_best_trial():
    assert search.objectives(POINTS, "accuracy").text == "3 trials; the best accuracy is 0.7000, of trial 2."
    assert "optimizer adamw, rate 0.001" in search.parallel_coordinates(POINTS, "accuracy").text
    assert search.costs(POINTS).text == "2 trials cost 0.3000 USD in all, 0.1500 USD on average."


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.builds(
            Point,
            st.integers(1, 500),
            st.floats(0, 1),
            st.fixed_dictionaries(
                {
                    "a": st.sampled_from(["0", "1e-300", "-3", "1e300"]),
                    "b": st.text(max_size=5),
                    "c": st.just("x"),
                }
            ),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_search_can_be_drawn(points):
    parsed(search.parallel_coordinates(points, "accuracy"))
    parsed(search.objectives(points, "accuracy"))


def test_curves_are_drawn_for_what_the_history_has():
    history = report_kit.history(3)
    loss = curves.curve(history, "loss", 2)
    assert loss is not None and {"train", "validation", "epoch"} <= set(texts(loss))
    assert "The best epoch is 2" in loss.text
    assert curves.curve([{"train:accuracy": 0.5}], "loss", 1) is None
    only_train = curves.curve([{"train:loss": 0.5}], "loss", 1)
    assert only_train is not None and "validation" not in texts(only_train)
    assert curves.learning_rates([{}]) is None


@pytest.mark.parametrize("confidence", [0.0, 1e-9, 0.5, 1.0])
def test_a_bin_of_any_confidence_is_inside_the_diagram(confidence):
    plot = evaluation.reliability([Bin(confidence=confidence, accuracy=0.5, count=3)])
    width = float(parsed(plot).attrib["width"])
    starts = re.findall(r'd="M(-?[\d.]+),(-?[\d.]+)h(-?[\d.]+)v', str(plot.svg))
    assert all(-1 <= float(x) <= width for x, _, _ in starts)
    assert "3 images" in plot.text
