"""Metrics of batches, whatever the batches are, held against scikit-learn."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from torch.nn import functional as F

from metrics import RunningMetrics, confusion_matrix, per_class, top_correct


class Ranks:
    """A process group of one rank."""

    def sum(self, values):
        return values


@st.composite
def outputs(draw):
    """Logits [N, classes] and labels [N]."""
    classes, count = draw(st.integers(2, 8)), draw(st.integers(1, 40))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    return (
        torch.randn(count, classes, generator=generator),
        torch.randint(classes, (count,), generator=generator),
    )


@settings(deadline=None, max_examples=40)
@given(outputs(), st.integers(1, 7))
def test_metrics_are_those_of_scikit_learn_for_any_batches(given_outputs, batch):
    logits, labels = given_outputs
    running = RunningMetrics(logits.shape[1])
    for part in torch.arange(len(labels)).split(batch):
        running.add(logits[part], labels[part])
    found = running.reduce(Ranks())
    predicted = logits.argmax(dim=1)
    assert found.count == len(labels)
    assert found.loss == pytest.approx(F.cross_entropy(logits.double(), labels).item(), abs=1e-5)
    assert found.accuracy == pytest.approx(sklearn_metrics.accuracy_score(labels, predicted))
    recall = sklearn_metrics.recall_score(
        labels, predicted, labels=labels.unique(), average="macro", zero_division=0
    )
    assert found.balanced_accuracy == pytest.approx(recall)
    top = 1.0
    if logits.shape[1] > 5:
        top = sklearn_metrics.top_k_accuracy_score(labels, logits, k=5, labels=range(logits.shape[1]))
    assert found.top5_accuracy == pytest.approx(top)


@settings(deadline=None, max_examples=20)
@given(outputs())
def test_the_table_of_classes_is_that_of_scikit_learn(given_outputs):
    logits, labels = given_outputs
    classes = tuple(f"class {n}" for n in range(logits.shape[1]))
    predicted = logits.argmax(dim=1)
    confusion = confusion_matrix(predicted, labels, len(classes))
    assert (
        confusion.tolist()
        == sklearn_metrics.confusion_matrix(labels, predicted, labels=range(len(classes))).tolist()
    )
    precision, recall, f1, images = sklearn_metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(len(classes)), zero_division=0
    )
    table = per_class(confusion, classes)
    assert [row["class"] for row in table] == list(classes)
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1), ("images", images)):
        assert [row[name] for row in table] == pytest.approx(values.tolist()), name


def test_a_model_that_ignores_the_rare_class_has_half_the_balanced_accuracy():
    running = RunningMetrics(2)
    labels = torch.tensor([0] * 300 + [1] * 5)
    running.add(torch.tensor([[1.0, 0.0]]).repeat(305, 1), labels)
    found = running.reduce(Ranks()).named("test")
    assert found["test:accuracy"] == pytest.approx(300 / 305)
    assert found["test:balanced_accuracy"] == 0.5


def test_the_fifth_of_six_classes_is_in_the_top_five_and_the_last_is_not():
    logits = torch.arange(6, 0, -1.0).repeat(2, 1)
    assert top_correct(logits, torch.tensor([4, 5])).tolist() == [True, False]


def test_a_loss_that_is_given_replaces_the_cross_entropy():
    running = RunningMetrics(2)
    running.add(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64), torch.tensor(6.0))
    assert running.reduce(Ranks()).loss == 1.5
