"""The name of a job, and when an existing job is resumed instead."""

import pytest

from ml.jobs import names


class Jobs:
    """Jobs by attempt, described by name."""

    def __init__(self, *statuses: tuple[str, bool]):
        self.statuses, self.names = list(statuses), []

    def __call__(self, name: str) -> dict | None:
        if name not in self.names:
            self.names.append(name)
        number = self.names.index(name)
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
def test_attempt_resumes_a_running_or_usable_job_or_names_the_next(jobs, again, attempt, found):
    describe = Jobs(*jobs)
    name, job = names.attempt("prefix", "digest", describe, again=again)
    assert name == describe.names[attempt]
    assert (job is not None) == found


def test_names_differ_by_digest_and_attempt_and_have_32_characters():
    first, _ = names.attempt("image-classifier-staging", "a", Jobs())
    other, _ = names.attempt("image-classifier-staging", "b", Jobs())
    second, _ = names.attempt("image-classifier-staging", "a", Jobs(FAILED))
    assert len({first, other, second}) == 3
    assert all(len(name) == 32 and name.startswith("image-classifier-staging-") for name in (first, second))


def test_equal_inputs_have_equal_names():
    assert names.attempt("prefix", "a", Jobs()) == names.attempt("prefix", "a", Jobs())
