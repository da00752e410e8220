"""The program that stops an idle notebook instance: what counts as use."""

import datetime
import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "terraform/modules/workbench/scripts/stop_when_idle.py"
STARTED = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.timezone.utc)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("stop_when_idle", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kernel(state: str, moment: str) -> dict:
    return {"execution_state": state, "last_activity": moment}


@pytest.mark.parametrize(
    ("kernels", "terminals", "minutes"),
    [
        ([], [], 0),  # nothing was opened: since the start
        ([kernel("idle", "2026-01-01T11:00:00.000000Z")], [], 0),  # of before a restart
        ([kernel("idle", "2026-01-01T12:10:00.000000Z")], [], 10),
        ([kernel("idle", "2026-01-01T12:10:00Z")], [{"last_activity": "2026-01-01T12:20:00Z"}], 20),
        ([], [{"name": "1"}], 0),  # Jupyter does not say when
    ],
)
def test_the_latest_activity_counts(script, kernels, terminals, minutes):
    assert script.last_use(kernels, terminals, STARTED) == STARTED + datetime.timedelta(minutes=minutes)


def test_what_computes_is_not_idle(script):
    long_ago = "2026-01-01T11:00:00Z"
    used = script.last_use([kernel("idle", long_ago), kernel("busy", long_ago)], [], STARTED)
    assert datetime.datetime.now(datetime.timezone.utc) - used < datetime.timedelta(seconds=60)
