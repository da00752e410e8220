"""What `./inv train --find-lr` prints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.jobs import learning_rate as jobs
from ops import console
from pipeline import learning_rate
from pipeline.learning_rate import curve

RATES = [10.0**power for power in range(-6, 2)]


def test_the_curve_falls_and_rises_and_marks_the_suggestion():
    lines = curve(RATES, [2.3, 2.3, 2.2, 1.5, 0.6, 0.5, 1.9, 8.0], 1e-2)
    assert lines[0].lstrip().startswith("2.53 │ ")
    assert lines[0].endswith("█")  # what diverges is cut off
    assert "0.5 │" in lines[-4]
    assert lines[-1].split() == ["1e-06", "10", "learning", "rate"]
    marked = lines[-2].index("▲") - lines[0].index("│") - 1
    assert marked == round(4 / 7 * 63)
    lowest = min(range(64), key=lambda column: sum(line[10:].ljust(64)[column] != " " for line in lines[:10]))
    assert 30 < lowest < 50


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=120))
def test_a_curve_of_any_losses_fits_a_terminal(losses):
    lines = curve([1e-6 * 1.2**n for n in range(len(losses))], losses, None)
    assert len(lines) == 12
    assert all(len(line) <= 100 for line in lines)


def test_without_measurements_there_is_no_curve():
    assert curve([], [], None) == []


@pytest.fixture
def found(monkeypatch, dev, request):
    """Print and return a result with a suggestion."""
    console.console.cache_clear()  # so that it writes to what capsys captures
    request.addfinalizer(console.console.cache_clear)

    def found(suggested):
        result = jobs.Found(
            suggested=suggested, rates=RATES, losses=[2.0] * 8, batch_size=64, optimizer="adamw"
        )
        monkeypatch.setattr(jobs, "run", lambda *_, **__: ("job", result, True))
        return learning_rate.run(dev, on="here")

    return found


def test_it_says_which_range_goes_where(found, capsys):
    result = found(0.02)
    shown = capsys.readouterr().err
    assert "environments/dev.toml" in shown
    assert 'learning-rate = { min = 0.007, max = 0.06, scaling = "Logarithmic" }' in shown
    assert "the present range, 0.0001 to 0.1, contains it" in shown
    assert (result["outcome"], result["suggested"], result["training_job"]) == ("done", 0.02, "job")


def test_a_loss_that_never_fell_is_a_degraded_outcome(found, capsys):
    result = found(None)
    assert result["outcome"] == "degraded"
    assert "the loss fell at no learning rate" in result["reason"]
    assert "[tuning.continuous]" not in capsys.readouterr().err
