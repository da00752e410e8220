"""Saved plans are applied exactly and once; a plan that is out of date is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ops import settings as environments
from ops.errors import OperatorError
from ops.terraform import saved_plans
from ops.terraform import stack as stack_module
from ops.terraform.stack import Change, Plan, Stack

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-prod/7"


@pytest.fixture
def prod() -> environments.Settings:
    return environments.load("prod")


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    monkeypatch.setattr(stack_module, "WORK", tmp_path / "work")
    return tmp_path


@pytest.fixture
def planned(work):
    """Return a function that makes a stack and a plan of it."""

    def make(root: str, *addresses: str, bucket: str | None = "states", tainted=(), **variables):
        stack = Stack(
            root=root,
            key=f"prod/{root}.tfstate",
            state_bucket=bucket,
            region="us-east-1",
            variables=variables,
        )
        if root == "serving":
            variables["model_package_arn"] = PACKAGE
        file = work / f"{root}.made"
        file.write_text(f"plan of {root}")
        return stack, Plan(file, tuple(Change(a, ("create",)) for a in addresses), tainted)

    return make


def save(folder, settings, **made):
    return saved_plans.save(folder, settings, made, "multi")


def test_a_plan_is_saved_with_a_manifest(prod, planned, work):
    save(work / "new" / "plan", prod, foundation=planned("foundation"), serving=planned("serving", "a.b"))
    folder = work / "new" / "plan"
    assert sorted(path.name for path in folder.iterdir()) == [
        "foundation.tfplan",
        "manifest.json",
        "serving.tfplan",
    ]
    assert folder.stat().st_mode & 0o077 == 0  # it contains state
    loaded = saved_plans.load(folder, prod)
    assert (loaded.manifest.environment, loaded.manifest.endpoint, loaded.manifest.model) == (
        "prod",
        "multi",
        7,
    )
    assert loaded.manifest.stacks["serving"].changes == ["a.b"]
    assert loaded.manifest.not_planned == {}


def test_a_saved_plan_knows_what_it_adopts(prod, planned, work, monkeypatch):
    stack, plan = planned("foundation", "a.new", "a.old")
    changes = (Change("a.new", ("create",)), Change("a.old", ("import", "update")))
    save(work / "plan", prod, foundation=(stack, replace(plan, changes=changes)))
    monkeypatch.setattr(Stack, "apply", lambda self, plan: None)
    carried_out = saved_plans.load(work / "plan", prod).carry_out(stack)
    assert [change.actions for change in carried_out] == [(), ("import",)]


def test_the_manifest_does_not_contain_inputs(prod, planned, work):
    save(work / "plan", prod, serving=planned("serving", secret="of the plan"))
    assert "of the plan" not in (work / "plan" / "manifest.json").read_text()


def test_serving_is_left_out_if_the_foundation_changes_its_outputs(prod, planned, work):
    changing = planned("foundation", "aws_ssm_parameter.outputs")
    manifest = save(work / "plan", prod, foundation=changing, serving=planned("serving"))
    assert list(manifest.stacks) == ["foundation"]
    assert "apply it, then plan again" in manifest.not_planned["serving"]
    assert not (work / "plan" / "serving.tfplan").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"bucket": None},
            r"plan from scratch\. Create the bucket with \./inv apply --stack foundation --env prod",
        ),
        (
            {"tainted": ("a.b",)},
            r"left a\.b incomplete\. Complete the stack with \./inv apply --stack foundation --env prod",
        ),
    ],
)
def test_a_plan_that_cannot_be_applied_is_not_saved(prod, planned, work, wrong, message):
    with pytest.raises(OperatorError, match=message):
        save(work / "plan", prod, foundation=planned("foundation", "a.b", **wrong))
    assert not (work / "plan").exists()


def test_a_folder_without_a_plan_is_refused(prod, work):
    with pytest.raises(
        OperatorError, match=r"nowhere has no saved plan: make one with \./inv plan --env prod --save"
    ):
        saved_plans.load(work / "nowhere", prod)
    (work / "manifest.json").write_text("{}")
    with pytest.raises(
        OperatorError, match=r"manifest .*/manifest\.json is damaged.*: plan again with \./inv plan"
    ):
        saved_plans.load(work, prod)


def test_a_plan_for_another_environment_is_refused(prod, planned, work):
    save(work / "plan", prod, foundation=planned("foundation"))
    with pytest.raises(OperatorError, match=r"for environment prod, not dev: use --env prod"):
        saved_plans.load(work / "plan", environments.load("dev"))


@pytest.mark.parametrize(
    "file", ["terraform/foundation/main.tf", "terraform/modules/m/run.py", "policies/stacks/training.json"]
)
def test_a_plan_for_other_sources_is_refused(prod, planned, work, monkeypatch, file):
    monkeypatch.setattr(saved_plans, "ROOT", work / "repository")
    source = work / "repository" / file
    source.parent.mkdir(parents=True)
    source.write_text("{}")
    save(work / "plan", prod, foundation=planned("foundation"))
    assert saved_plans.load(work / "plan", prod)
    source.write_text("{ }")
    with pytest.raises(OperatorError, match=r"for other sources: for commit unknown, and this is unknown\."):
        saved_plans.load(work / "plan", prod)


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("another")])
def test_a_changed_plan_file_is_refused(prod, planned, work, spoil):
    save(work / "plan", prod, foundation=planned("foundation"))
    spoil(work / "plan" / "foundation.tfplan")
    with pytest.raises(OperatorError, match=r"foundation\.tfplan is missing or has changed"):
        saved_plans.load(work / "plan", prod)


def test_a_plan_for_other_inputs_or_another_state_is_refused(prod, planned, work):
    save(work / "plan", prod, foundation=planned("foundation", "a.b", days=7, region="us-east-1"))
    loaded = saved_plans.load(work / "plan", prod)
    with pytest.raises(OperatorError, match=r"is out of date: its inputs have changed \(days, tags\)\."):
        loaded.carry_out(planned("foundation", days=30, region="us-east-1", tags={})[0])
    with pytest.raises(OperatorError, match=r"is for s3://states/prod/foundation\.tfstate, not s3://others/"):
        loaded.carry_out(planned("foundation", bucket="others")[0])


def test_the_manifest_has_a_version(prod, planned, work):
    save(work / "plan", prod, foundation=planned("foundation"))
    assert json.loads((work / "plan" / "manifest.json").read_text())["version"] == 1


# ---- with Terraform ----


def test_a_saved_plan_is_applied_exactly_and_once(embedded_aws, prod, work, monkeypatch):
    """On another machine, which has only the folder."""
    for name, value in embedded_aws.credentials.items():
        monkeypatch.setenv(name, value)
    embedded_aws.client("s3").create_bucket(Bucket="saved-plans")
    monkeypatch.setattr(stack_module, "ROOT", work / "repository")
    source = work / "repository" / "terraform" / "foundation"
    source.mkdir(parents=True)
    (source / ".terraform.lock.hcl").write_text("")
    (source / "main.tf").write_text(
        'terraform {\n  backend "s3" {}\n}\nvariable "word" {}\n'
        'resource "terraform_data" "word" {\n  input = var.word\n}\n'
    )

    def stack(machine: str) -> Stack:
        monkeypatch.setattr(stack_module, "WORK", work / machine)
        return Stack(
            root="foundation",
            key="prod/foundation.tfstate",
            state_bucket="saved-plans",
            region="us-east-1",
            variables={"word": "planned"},
        )

    planner = stack("one")
    save(work / "plan", prod, foundation=(planner, planner.plan(lock=False)))
    saved = saved_plans.load(work / "plan", prod)
    assert [c.address for c in saved.carry_out(stack("another"))] == ["terraform_data.word"]
    state = embedded_aws.client("s3").get_object(Bucket="saved-plans", Key="prod/foundation.tfstate")["Body"]
    (resource,) = json.load(state)["resources"]
    assert resource["instances"][0]["attributes"]["output"]["value"] == "planned"
    with pytest.raises(
        OperatorError, match=r"is stale: it has been applied, or .* To plan again: \./inv plan"
    ):
        saved.carry_out(stack("another"))
