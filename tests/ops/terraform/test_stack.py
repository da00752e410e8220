"""A stack is planned, applied and destroyed; `terraform init` runs when needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops.errors import OperatorError
from tests.ops.terraform.fake_events import diagnostic, hook, planned

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method")  # of python-terraform


# ---- plan and apply ----


def test_a_plan_lists_its_changes(stack, fake_terraform):
    lines = [
        {"type": "version", "terraform": "1.11.4"},
        planned("create", "aws_s3_bucket.main"),
        planned("replace", "module.key.aws_kms_key.main"),
        planned("update", "aws_iam_role.training"),
        {"type": "change_summary", "changes": {"add": 1}},
    ]
    fake_terraform.does("plan", {"lines": lines})
    made = stack(variables={"environment": "test", "storage": {"force_destroy": True}})
    plan = made.plan()
    assert [(c.address, c.actions) for c in plan.changes] == [
        ("aws_s3_bucket.main", ("create",)),
        ("module.key.aws_kms_key.main", ("delete", "create")),
        ("aws_iam_role.training", ("update",)),
    ]
    (call,) = fake_terraform.calls("plan")
    assert f"-out={plan.file}" in call["arguments"]
    assert "-json" in call["arguments"]
    assert "-destroy" not in call["arguments"]
    assert not any("detailed-exitcode" in argument for argument in call["arguments"])
    (inputs,) = [a.partition("=")[2] for a in call["arguments"] if a.startswith("-var-file=")]
    assert '"force_destroy": true' in Path(inputs).read_text(encoding="utf-8")


def test_a_destruction_can_be_limited_to_some_resources(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": [planned("delete", 'module.a[0].aws_x.b["k"]')]})
    stack().plan(destroy=True, targets=['module.a[0].aws_x.b["k"]', "aws_x.c"])
    (call,) = fake_terraform.calls("plan")
    assert "-destroy" in call["arguments"]
    assert [a for a in call["arguments"] if a.startswith("-target=")] == [
        '-target=module.a[0].aws_x.b["k"]',
        "-target=aws_x.c",
    ]


def test_long_operations_report_their_time(stack, fake_terraform):
    def after(seconds: int, action: str) -> dict:
        event = hook("apply_progress", action, "aws_sagemaker_endpoint.this")
        event["hook"]["elapsed_seconds"] = seconds
        return event

    fake_terraform.does("plan", {"lines": [planned("delete", "aws_sagemaker_endpoint.this")]})
    fake_terraform.does("apply", {"lines": [after(10, "delete"), after(70, "delete"), after(130, "create")]})
    made = stack()
    made.down()
    assert made.texts[1:] == [
        "deleting aws_sagemaker_endpoint.this (10 s)",
        "deleting aws_sagemaker_endpoint.this (1 min 10 s)",
        "creating aws_sagemaker_endpoint.this (2 min 10 s)",
    ]


def test_up_applies_the_saved_plan_and_reports_progress(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": [planned("create", "aws_s3_bucket.main")]})
    lines = [
        hook("apply_start", "read", "data.aws_caller_identity.me"),
        hook("apply_start", "create", "aws_s3_bucket.main"),
        hook("apply_complete", "create", "aws_s3_bucket.main"),
        hook("apply_start", "delete", "aws_s3_bucket.old"),
        hook("apply_complete", "delete", "aws_s3_bucket.old"),
        "a line that is not JSON",
        "[1, 2]",
    ]
    fake_terraform.does("apply", {"lines": lines})
    made = stack()
    assert [c.address for c in made.up()] == ["aws_s3_bucket.main"]
    assert made.texts == [
        "terraform init",
        "creating aws_s3_bucket.main",
        "created aws_s3_bucket.main",
        "deleting aws_s3_bucket.old",
        "deleted aws_s3_bucket.old",
    ]
    (call,) = fake_terraform.calls("apply")
    assert call["arguments"][-1].endswith("saved.tfplan")


def test_up_does_not_apply_an_empty_plan(stack, fake_terraform):
    assert stack().up() == ()
    assert [c["command"] for c in fake_terraform.calls()] == ["init", "plan"]


def test_down_destroys(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": [planned("delete", "aws_s3_bucket.main")]})
    assert stack().down()[0].actions == ("delete",)
    assert "-destroy" in fake_terraform.calls("plan")[0]["arguments"]


@pytest.mark.parametrize(("order", "kept"), [(["create", "delete"], True), (["delete", "create"], False)])
def test_a_tainted_resource_is_kept_if_its_replacement_would_be_created_first(
    stack, fake_terraform, order, kept
):
    """AWS would refuse a second resource with the same name."""
    function, other = "module.f.aws_lambda_function.this", "module.e.aws_sagemaker_endpoint.this"
    tainted = planned("replace", function)
    tainted["change"]["reason"] = "tainted"
    changes = [
        {"address": function, "change": {"actions": order}},
        {"address": other, "change": {"actions": ["create", "delete"]}},  # not tainted
    ]
    fake_terraform.does("plan", {"lines": [tainted, planned("replace", other)]}, {"rc": 0})
    fake_terraform.does("show", {"lines": [json.dumps({"resource_changes": changes})]})
    made = stack()
    made.up()
    assert [call["arguments"][-1] for call in fake_terraform.calls("untaint")] == [function] * kept
    assert len(fake_terraform.calls("plan")) == 1 + kept
    assert (f"keeping {function}, which an interrupted run created" in made.texts) == kept


def test_a_failing_untaint_is_reported(stack, fake_terraform):
    tainted = planned("replace", "aws_x.y")
    tainted["change"]["reason"] = "tainted"
    fake_terraform.does("plan", {"lines": [tainted]})
    changes = [{"address": "aws_x.y", "change": {"actions": ["create", "delete"]}}]
    fake_terraform.does("show", {"lines": [json.dumps({"resource_changes": changes})]})
    fake_terraform.does("untaint", {"rc": 1})
    with pytest.raises(OperatorError, match=r"untaint of aws_x\.y failed"):
        stack().up()


def test_show_returns_terraform_s_json_of_each_plan_once(stack, fake_terraform):
    fake_terraform.does("show", {"lines": ['{"format_version": "1.2"}']}, {"rc": 1})
    made = stack()
    plan = made.plan()
    assert made.show(plan) == made.show(plan) == {"format_version": "1.2"}
    assert len(fake_terraform.calls("show")) == 1
    with pytest.raises(OperatorError, match="show failed for foundation"):
        made.show(made.plan())


def test_terraform_s_output_is_not_printed(stack, fake_terraform, capfd):
    fake_terraform.does("plan", {"lines": [diagnostic("Wrong")], "rc": 1})
    with pytest.raises(OperatorError):
        stack().plan()
    assert capfd.readouterr() == ("", "")


# ---- init ----


def test_init_configures_the_backend_and_uses_the_lock_file_only(stack, fake_terraform):
    stack().plan()
    (call,) = fake_terraform.calls("init")
    for wanted in (
        "-lockfile=readonly",
        "-reconfigure",
        "-input=false",
        "-backend-config=bucket=states",
        "-backend-config=key=test/foundation.tfstate",
        "-backend-config=max_retries=10",
        "-backend-config=use_lockfile=true",
    ):
        assert wanted in call["arguments"]


def test_init_runs_once_without_changes(stack, fake_terraform):
    stack().plan()
    made = stack(variables={"other": 1})
    made.plan()
    assert len(fake_terraform.calls("init")) == 1
    assert "terraform init" not in made.texts


def test_a_failed_init_is_repeated(stack, fake_terraform):
    fake_terraform.does("init", {"rc": 1}, {})
    with pytest.raises(OperatorError):
        stack().plan()
    stack().plan()
    assert len(fake_terraform.calls("init")) == 2


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("foundation/main.tf", 'module "key" {\n  source = "../modules/other"\n}\n'),
        ("foundation/main.tf", 'module "other" {\n  source = "../modules/key"\n}\n'),
        ("modules/key/main.tf", 'module "inner" {\n  source = "../role"\n}\n'),
        ("foundation/.terraform.lock.hcl", 'version = "9.9.10"'),
    ],
)
def test_init_is_repeated_when_modules_or_providers_change(stack, fake_terraform, repository, file, text):
    stack().plan()
    changed = repository / "terraform" / file
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text(text)
    stack().plan()
    assert len(fake_terraform.calls("init")) == 2


def test_an_attached_stack_has_an_init_of_its_own(stack, fake_terraform):
    """It installs no provider, which a stack that is not attached needs."""
    attach = {"TF_REATTACH_PROVIDERS": "{}"}
    for attached in (attach, attach, {}):
        stack(attached=attached).plan()
    environments = [call["environment"] for call in fake_terraform.calls("init")]
    assert [environment.get("TF_REATTACH_PROVIDERS") for environment in environments] == ["{}", None]


def test_init_is_not_repeated_for_other_changes(stack, fake_terraform, repository):
    stack().plan()
    (repository / "terraform" / "foundation" / "variables.tf").write_text('variable "color" {}\n')
    stack().plan()
    assert len(fake_terraform.calls("init")) == 1


def test_another_aws_gets_its_own_work_folder_and_init(stack, fake_terraform, monkeypatch):
    one = stack()
    one.plan()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5999")
    two = stack()
    two.plan()
    assert one.work != two.work
    assert len(fake_terraform.calls("init")) == 2


def test_without_a_state_bucket_the_plan_is_from_scratch(stack, fake_terraform, repository, s3):
    made = stack(state_bucket=None)
    made.plan()
    folder = made.configuration.folder
    assert 'backend "local"' in (folder / "backend_override.tf").read_text()
    assert not (repository / "terraform" / "foundation" / "backend_override.tf").exists()
    assert not any("backend-config" in a for a in fake_terraform.calls("init")[0]["arguments"])
    assert list(s3.folder.iterdir()) == []
