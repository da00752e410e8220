"""Outcomes: the exit status of each, that of several stages, that of an error."""

import pytest
from botocore.exceptions import ClientError

from ops import outcome
from ops.aws import aws_errors
from ops.errors import OperatorError, Refused
from ops.outcome import Outcome

DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no."}}, "GetParameter")


def test_the_exit_status_follows_the_outcome():
    assert {str(found): found.exit_status for found in Outcome} == {
        "done": 0,
        "unchanged": 0,
        "degraded": 3,
        "refused": 1,
        "failed": 1,
        "not run": 1,
    }


@pytest.mark.parametrize(
    ("stages", "all_of_them"),
    [
        ("", "unchanged"),
        ("unchanged unchanged", "unchanged"),
        ("unchanged done", "done"),
        ("degraded done", "degraded"),
        ("degraded refused not_run", "refused"),
        ("failed not_run", "failed"),
    ],
)
def test_the_worst_stage_decides(stages, all_of_them):
    assert str(outcome.worst(Outcome[name.upper()] for name in stages.split())) == all_of_them


def refused_by_aws() -> OperatorError:
    with pytest.raises(OperatorError) as raised, aws_errors("./inv up"):
        raise DENIED
    return raised.value


def in_a_stage() -> OperatorError:
    error = OperatorError("it broke")
    error.in_stage = True
    return error


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (Refused("no"), Outcome.REFUSED),
        (OperatorError("--keep date: choose data or models"), Outcome.REFUSED),
        (in_a_stage(), Outcome.FAILED),
        (OSError("disk"), Outcome.FAILED),
    ],
)
def test_an_error_is_refused_before_anything_began_and_failed_afterwards(error, found):
    assert outcome.of_error(error) is found


def test_an_error_of_aws_is_a_failure_at_any_time():
    assert outcome.of_error(refused_by_aws()) is Outcome.FAILED
