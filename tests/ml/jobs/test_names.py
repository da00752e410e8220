"""Which name a job gets, and when a job that is there is taken up instead."""

import pytest

from ml.jobs import names


class Jobs:
    """Jobs by attempt; asked for by name."""

    def __init__(self, *statuses: tuple[str, bool]):
        self.statuses, self.asked = list(statuses), []

    def __call__(self, name: str) -> dict | None:
        if name not in self.asked:
            self.asked.append(name)
        number = self.asked.index(name)
        if number >= len(self.statuses):
            return None
        status, usable = self.statuses[number]
        return {"status": status, "usable": usable}


DONE, LOST = ("Completed", True), ("Completed", False)
FAILED, STOPPED, RUNNING, STOPPING = ((s, False) for s in ("Failed", "Stopped", "InProgress", "Stopping"))


@pytest.mark.parametrize(
    ("jobs", "again", "attempt", "found"),
    [
        ([], False, 0, False),
        ([], True, 0, False),
        ([RUNNING], False, 0, True),
        ([RUNNING], True, 0, True),
        ([STOPPING], False, 0, True),
        ([DONE], False, 0, True),
        ([DONE], True, 1, False),
        ([LOST], False, 1, False),
        ([FAILED], False, 1, False),
        ([STOPPED, FAILED], False, 2, False),
        ([FAILED, DONE], False, 1, True),
        ([DONE, DONE], False, 1, True),
        ([DONE, FAILED], False, 0, True),
        ([DONE, RUNNING], False, 1, True),
        ([DONE, DONE], True, 2, False),
    ],
)
def test_attempts(jobs, again, attempt, found):
    describe = Jobs(*jobs)
    name, job = names.attempt("stem", "digest", describe, again=again)
    assert name == describe.asked[attempt]
    assert (job is not None) == found


def test_names_differ_by_digest_and_attempt_and_fit():
    first, _ = names.attempt("image-classifier-staging", "a", Jobs())
    other, _ = names.attempt("image-classifier-staging", "b", Jobs())
    second, _ = names.attempt("image-classifier-staging", "a", Jobs(FAILED))
    assert len({first, other, second}) == 3
    assert all(len(name) == 32 and name.startswith("image-classifier-staging-") for name in (first, second))


def test_the_same_inputs_have_the_same_name():
    assert names.attempt("stem", "a", Jobs()) == names.attempt("stem", "a", Jobs())
