"""The progress of a training from its log lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.train import _show_log_line
from pipeline.training_progress import WIDTH, TrainingProgress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def epoch(number: int) -> str:
    return (
        f"epoch={number} train:loss=0.5 validation:loss=0.5 validation:accuracy=0.9 images_per_second=1234.5"
    )


def test_the_bar_has_the_rate_and_the_time_left(clock):
    progress = TrainingProgress(4, clock)
    progress.read("2 classes; images: 10 train")
    clock.now = 60
    assert progress.read(epoch(1))
    bar = "━" * (WIDTH // 4) + "╌" * (WIDTH - WIDTH // 4)
    assert progress.text() == f"epoch 2 of 4 {bar} 25%, 1,234 images/s, 3:00 left"


def test_the_bar_moves_between_lines_and_waits_at_the_end_of_the_epoch(clock):
    progress = TrainingProgress(4, clock)
    progress.read("start")
    clock.now = 60
    progress.read(epoch(1))
    clock.now = 90
    assert "38%" in progress.text() and "2:30 left" in progress.text()
    clock.now = 1000
    assert "epoch 2 of 4" in progress.text() and "50%" in progress.text()


def test_steps_of_a_long_epoch_count(clock):
    progress = TrainingProgress(2, clock)
    progress.read("start")
    clock.now = 3600
    assert progress.read("epoch 1: step 50 of 100, 3600 s left")
    assert "25%" in progress.text() and "3:00:00 left" in progress.text()


def test_a_resumed_training_counts_its_own_time_only(clock):
    progress = TrainingProgress(10, clock)
    progress.read("resumed after epoch 8")
    clock.now = 30
    progress.read(epoch(9))
    assert "90%" in progress.text() and "0:30 left" in progress.text()


def test_lines_that_arrive_together_tell_no_time_left(clock):
    progress = TrainingProgress(3, clock)
    for line in ("start", epoch(1), epoch(2)):
        progress.read(line)
    assert "67%" in progress.text() and "left" not in progress.text()


@given(st.lists(st.tuples(st.integers(1, 6), st.floats(0, 1e5)), max_size=8), st.floats(0, 1e6))
def test_a_text_is_never_wrong_by_more_than_the_lines(lines, later):
    clock = Clock()
    progress = TrainingProgress(5, clock)
    for number, seconds in lines:
        clock.now += seconds
        progress.read(epoch(number))
    clock.now += later
    share = int(progress.text().split("%")[0].split()[-1])
    assert 0 <= share <= 100
    assert progress.text().count("━") + progress.text().count("╌") == WIDTH


def test_an_epoch_stays_visible_and_the_bar_follows(clock):
    shown, followed = [], []

    class Step:
        def __call__(self, text, important=False):
            shown.append((text, important))

        def follow(self, text):
            followed.append(text())

    progress = TrainingProgress(2, clock)
    for line in ("2 classes; images: 10 train", "epoch 1: step 1 of 2, 3 s left", epoch(1), "other=1"):
        _show_log_line(Step(), progress, line)
    assert [important for _, important in shown] == [False, True]
    assert shown[1][0].startswith("epoch 1: train loss 0.5000")
    assert [text.split()[:4] for text in followed] == [["epoch", n, "of", "2"] for n in ("1", "2")]
