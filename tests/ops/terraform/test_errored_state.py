"""A state that Terraform could not save is saved by the next run before anything else, if it continues the saved one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.errors import OperatorError
from ops.terraform.adoption.search import Import
from ops.terraform.stack import Change, Plan, Stack
from tests.ops.terraform.fake_events import diagnostic, planned

KEY = "test/foundation.tfstate"


def state(serial: int, lineage: str = "ours", resources: tuple[Any, ...] = ({"type": "aws_kms_key"},)) -> str:
    return json.dumps({"version": 4, "serial": serial, "lineage": lineage, "resources": list(resources)})


@pytest.fixture
def interrupted(stack, fake_terraform):
    """Return a function that makes a stack with an errored state."""

    def make(text: str) -> Stack:
        fake_terraform.does("state", {})
        made = stack()
        made.configuration.folder.mkdir(parents=True)
        made.configuration.errored_state.write_text(text)
        return made

    return make


def kept(stack: Stack) -> list[str]:
    return [file.read_text() for file in stack.configuration.folder.glob("errored.tfstate.*")]


@pytest.mark.parametrize("saved", [None, state(4)], ids=["first apply", "later apply"])
def test_it_is_saved_before_anything_else_under_the_lock(interrupted, fake_terraform, s3, saved):
    if saved:
        s3.put_object(Bucket="states", Key=KEY, Body=saved.encode())
    made = interrupted(state(5))
    made.plan()
    assert [call["command"] for call in fake_terraform.calls()] == ["init", "state", "plan"]
    arguments = fake_terraform.calls("state")[0]["arguments"]
    assert arguments == ["push", "-lock=false", "-no-color", str(made.configuration.errored_state)]
    assert "saving the state that an earlier run could not save (1 resources)" in made.texts
    assert not made.configuration.errored_state.exists()
    assert kept(made) == []


@pytest.mark.parametrize(
    ("errored", "saved", "reason"),
    [
        ("", state(4), "it is not a state"),
        ('{"serial": 1', None, "it is not a state"),
        ('{"serial": "x", "lineage": "ours", "resources": []}', None, "it is not a state"),
        (state(5), state(1, lineage="theirs"), "another state has been saved since"),
        (state(5), state(5, resources=()), "a newer state has been saved since"),
        (state(5), state(6), "a newer state has been saved since"),
    ],
)
def test_one_that_does_not_continue_the_saved_state_is_kept_aside(
    interrupted, fake_terraform, s3, errored, saved, reason
):
    if saved:
        s3.put_object(Bucket="states", Key=KEY, Body=saved.encode())
    made = interrupted(errored)
    made.plan()
    assert fake_terraform.calls("state") == []
    assert any(f"is not used, as {reason}; it is kept in " in text for text in made.texts)
    assert kept(made) == [errored]
    made.plan()  # and stays there
    assert kept(made) == [errored]


def test_one_that_was_saved_after_all_is_removed(interrupted, fake_terraform, s3):
    s3.put_object(Bucket="states", Key=KEY, Body=state(5).encode())
    made = interrupted(state(5))
    made.plan()
    assert fake_terraform.calls("state") == []
    assert kept(made) == []


def test_it_stays_until_it_can_be_saved(interrupted, fake_terraform):
    made = interrupted(state(5))
    fake_terraform.does("state", {"rc": 1}, {})
    with pytest.raises(OperatorError, match=r"terraform state push of .*errored\.tfstate failed"):
        made.plan()
    assert fake_terraform.calls("plan") == []
    made.plan()
    assert not made.configuration.errored_state.exists()


def test_a_plan_that_is_only_read_leaves_it(interrupted):
    made = interrupted(state(5))
    made.plan(lock=False)
    assert made.configuration.errored_state.exists()


def test_arguments_that_imports_do_not_read_are_not_written_over_it(stack, fake_terraform, s3):
    """A higher serial of the saved state would make the errored one look outdated."""
    s3.put_object(Bucket="states", Key=KEY, Body=state(4).encode())
    fake_terraform.does("apply", {"writes": {"errored.tfstate": state(5)}, "rc": 1})
    made = stack()
    imported = Import("aws_x.y", "id", False, {"argument": 1})
    plan = Plan(made.work / "saved.tfplan", (Change("aws_x.y", ("import",)),), adopted=(imported,))
    with made.locked():
        made.plan()
        with pytest.raises(OperatorError, match="state of foundation could not be saved"):
            made.apply(plan)
    assert s3.get_object(Bucket="states", Key=KEY)["Body"].read().decode() == state(4)


def test_the_error_of_a_run_that_cannot_save_its_state_names_the_remedy(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": [planned("create", "aws_kms_key.main")]})
    lines = [diagnostic("Failed to save state", "connection refused")]
    fake_terraform.does("apply", {"writes": {"errored.tfstate": state(5)}, "lines": lines, "rc": 1})
    made = stack()
    with pytest.raises(OperatorError) as failed:
        made.up()
    assert str(failed.value) == (
        "The state of foundation could not be saved on AWS. It is in "
        f"{made.configuration.errored_state}: run the same command again on this machine, which saves it and resumes. "
        "Terraform reported: Failed to save state: connection refused."
    )
