"""The Terraform runner, with a Terraform that plays its part: progress, plans, failures, locks, environment."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ops.errors import OperatorError
from ops.terraform import stack as terraform

ME = f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"


pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method")  # of python-terraform


@pytest.fixture
def stack(repository, machine, fake_terraform, monkeypatch):
    """Makes the stack `foundation`; its progress texts are in `.told`."""
    monkeypatch.setattr(terraform, "binary", lambda: str(fake_terraform.program))

    def make(**options) -> terraform.Stack:
        told: list[str] = []
        made = terraform.Stack(
            **{
                "root": "foundation",
                "key": "test/foundation.tfstate",
                "state_bucket": "states",
                "region": "eu-west-1",
                "progress": told.append,
                **options,
            }
        )
        made.told = told
        return made

    return make


def planned(action: str, address: str) -> dict:
    return {"type": "planned_change", "change": {"action": action, "resource": {"addr": address}}}


def hook(kind: str, action: str, address: str) -> dict:
    return {"type": kind, "hook": {"action": action, "resource": {"addr": address}}}


def diagnostic(summary: str, detail: str = "", **more) -> dict:
    return {
        "type": "diagnostic",
        "diagnostic": {"severity": "error", "summary": summary, "detail": detail, **more},
    }


def locked(who: str) -> dict:
    return diagnostic(
        "Error acquiring the state lock",
        f"Error message: PreconditionFailed\nLock Info:\n  ID:        4711-abc\n  Path:      states/x\n"
        f"  Operation: OperationTypePlan\n  Who:       {who}\n  Version:   1.11.4\n",
    )


# ---- plan and apply ----


def test_a_plan_lists_what_would_change(stack, fake_terraform):
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
    assert '"force_destroy": true' in Path(inputs).read_text()


def test_up_applies_the_saved_plan_and_tells_its_progress(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": [planned("create", "aws_s3_bucket.main")]})
    lines = [
        hook("apply_start", "read", "data.aws_caller_identity.me"),
        hook("apply_start", "create", "aws_s3_bucket.main"),
        hook("apply_complete", "create", "aws_s3_bucket.main"),
        hook("apply_start", "delete", "aws_s3_bucket.old"),
        hook("apply_complete", "delete", "aws_s3_bucket.old"),
        "a line that is no JSON",
        "[1, 2]",
    ]
    fake_terraform.does("apply", {"lines": lines})
    made = stack()
    assert [c.address for c in made.up()] == ["aws_s3_bucket.main"]
    assert made.told == [
        "terraform init",
        "creating aws_s3_bucket.main",
        "created aws_s3_bucket.main",
        "deleting aws_s3_bucket.old",
        "deleted aws_s3_bucket.old",
    ]
    (call,) = fake_terraform.calls("apply")
    assert call["arguments"][-1].endswith("saved.tfplan")


def test_nothing_to_do_is_not_applied(stack, fake_terraform):
    assert stack().up() == ()
    assert [c["command"] for c in fake_terraform.calls()] == ["init", "plan"]


def test_down_plans_a_destruction(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": [planned("delete", "aws_s3_bucket.main")]})
    assert stack().down()[0].actions == ("delete",)
    assert "-destroy" in fake_terraform.calls("plan")[0]["arguments"]


@pytest.mark.parametrize(("order", "kept"), [(["create", "delete"], True), (["delete", "create"], False)])
def test_what_an_interrupted_run_made_is_not_made_twice(stack, fake_terraform, order, kept):
    """A replacement that is created first would have the name of what is there, which AWS refuses for ever."""
    function, other = "module.f.aws_lambda_function.this", "module.e.aws_sagemaker_endpoint.this"
    tainted = planned("replace", function)
    tainted["change"]["reason"] = "tainted"
    changes = [
        {"address": function, "change": {"actions": order}},
        {"address": other, "change": {"actions": ["create", "delete"]}},  # replaced for another reason
    ]
    fake_terraform.does("plan", {"lines": [tainted, planned("replace", other)]}, {"rc": 0})
    fake_terraform.does("show", {"lines": [json.dumps({"resource_changes": changes})]})
    made = stack()
    made.up()
    assert [call["arguments"][-1] for call in fake_terraform.calls("untaint")] == [function] * kept
    assert len(fake_terraform.calls("plan")) == 1 + kept
    assert (f"keeping {function}, which an interrupted run made" in made.told) == kept


def test_a_refused_untaint_is_told(stack, fake_terraform):
    tainted = planned("replace", "aws_x.y")
    tainted["change"]["reason"] = "tainted"
    fake_terraform.does("plan", {"lines": [tainted]})
    changes = [{"address": "aws_x.y", "change": {"actions": ["create", "delete"]}}]
    fake_terraform.does("show", {"lines": [json.dumps({"resource_changes": changes})]})
    fake_terraform.does("untaint", {"rc": 1})
    with pytest.raises(OperatorError, match=r"untaint of aws_x\.y failed"):
        stack().up()


def test_show_is_terraform_s_json(stack, fake_terraform):
    fake_terraform.does("show", {"lines": ['{"format_version": "1.2"}']}, {"rc": 1})
    made = stack()
    plan = made.plan()
    assert made.show(plan) == {"format_version": "1.2"}
    with pytest.raises(OperatorError, match="show failed for foundation"):
        made.show(plan)


def test_output_reaches_neither_terminal_nor_json(stack, fake_terraform, capfd):
    fake_terraform.does("plan", {"lines": [diagnostic("Wrong")], "rc": 1})
    with pytest.raises(OperatorError):
        stack().plan()
    assert capfd.readouterr() == ("", "")


# ---- failures ----


def test_errors_are_terraform_s_own_sentences(stack, fake_terraform):
    warning = {"type": "diagnostic", "diagnostic": {"severity": "warning", "summary": "Deprecated"}}
    error = diagnostic("creating role", "AccessDenied:\n  not authorized", address="aws_iam_role.training")
    fake_terraform.does("plan", {"lines": [warning, error], "rc": 1})
    with pytest.raises(OperatorError) as failed:
        stack().plan()
    assert str(failed.value) == (
        "terraform plan of foundation failed: creating role (aws_iam_role.training): AccessDenied: not authorized"
    )


def test_many_errors_are_cut_and_their_log_named(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": [diagnostic(f"Wrong {n}.") for n in range(5)], "rc": 1})
    with pytest.raises(OperatorError, match=r"Wrong 0; Wrong 1; Wrong 2 \(and 2 more, in .*run.jsonl\)"):
        stack().plan()


def test_a_crash_shows_the_last_lines(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": ["panic: runtime error"], "rc": 2})
    with pytest.raises(OperatorError, match="plan of foundation failed: panic: runtime error"):
        stack().plan()
    fake_terraform.does("plan", {"rc": 2})
    with pytest.raises(OperatorError, match="it printed nothing"):
        stack().plan()


def test_a_provider_that_cannot_be_had_says_how(stack, fake_terraform):
    error = diagnostic("Failed to query available provider packages", "could not connect to the registry")
    fake_terraform.does("init", {"lines": [error], "rc": 1})
    with pytest.raises(OperatorError, match=r"^The Terraform provider hashicorp/aws .*TF_PLUGIN_DIR"):
        stack().plan()


# ---- state locks ----


def test_the_lock_of_a_killed_run_is_released(stack, fake_terraform):
    fake_terraform.does("plan", {"signal": signal.SIGKILL}, {"lines": [locked(ME)], "rc": 1}, {})
    made = stack()
    with pytest.raises(OperatorError):
        made.plan()
    assert made.plan().changes == ()
    assert "releasing the state lock of a run on this machine that was killed (4711-abc)" in made.told
    (call,) = fake_terraform.calls("force-unlock")
    assert call["arguments"] == ["-force", "-no-color", "4711-abc"]
    assert not (made.work / "unfinished").exists()


def test_a_lock_is_released_once_at_most(stack, fake_terraform):
    fake_terraform.does("plan", {"signal": signal.SIGKILL}, {"lines": [locked(ME)], "rc": 1})
    made = stack()
    for _ in range(2):
        with pytest.raises(OperatorError):
            made.plan()
    assert len(fake_terraform.calls("force-unlock")) == 1


@pytest.mark.parametrize("who", ["colleague@elsewhere", f"colleague@{socket.gethostname()}", f"{ME}2"])
def test_the_lock_of_somebody_else_is_kept(stack, fake_terraform, who):
    fake_terraform.does("plan", {"signal": signal.SIGKILL}, {"lines": [locked(who)], "rc": 1})
    made = stack()
    with pytest.raises(OperatorError):
        made.plan()
    with pytest.raises(OperatorError, match=rf"Error acquiring the state lock.*{who}"):
        made.plan()
    assert fake_terraform.calls("force-unlock") == []


def test_a_lock_of_mine_is_kept_if_no_run_here_was_killed(stack, fake_terraform):
    """Another clone of the repository may be at work on the same state."""
    fake_terraform.does("plan", {"lines": [locked(ME)], "rc": 1})
    with pytest.raises(OperatorError, match="Error acquiring the state lock"):
        stack().plan()
    assert fake_terraform.calls("force-unlock") == []


def test_a_lock_that_stays_is_told(stack, fake_terraform):
    fake_terraform.does("plan", {"signal": signal.SIGKILL}, {"lines": [locked(ME)], "rc": 1})
    fake_terraform.does("force-unlock", {"rc": 1})
    made = stack()
    with pytest.raises(OperatorError):
        made.plan()
    with pytest.raises(OperatorError, match="4711-abc of foundation could not be released"):
        made.plan()


def test_two_runs_of_a_stack_take_turns(stack, fake_terraform, until):
    fake_terraform.does("plan", {"wait": "go"})
    first, second = stack(), stack()
    threads = [threading.Thread(target=first.plan)]
    threads[0].start()
    until(lambda: fake_terraform.calls("plan"))
    threads.append(threading.Thread(target=second._run, args=("apply",)))
    threads[1].start()
    until(lambda: second.told)
    assert second.told == ["waiting for another Terraform run of foundation on this machine"]
    assert fake_terraform.calls("apply") == []
    (fake_terraform.home / "go").touch()
    for thread in threads:
        thread.join(10)
    assert len(fake_terraform.calls("apply")) == 1


CHILD = """
import sys
from pathlib import Path
from ops.terraform import providers as terraform_providers, stack as terraform
for module in (terraform, terraform_providers):
    module.ROOT, module.WORK = Path(sys.argv[1]), Path(sys.argv[1], ".work")
stack = terraform.Stack(root="foundation", key="test/foundation.tfstate", state_bucket="states", region="eu-west-1")
try:
    stack.plan()
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def child(stack, fake_terraform, repository, until):
    """A process that plans the stack, with Terraform waiting for the file `go`."""
    fake_terraform.does("plan", {"wait": "go"})
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(repository)], cwd=root)
    until(lambda: fake_terraform.calls("plan"))
    yield process
    (fake_terraform.home / "go").touch()
    process.kill()
    process.wait()


def test_a_killed_run_leaves_terraform_to_finish(child, stack, fake_terraform, until):
    child.kill()
    child.wait()
    assert not (fake_terraform.home / "plan.ended").exists()
    made = stack()
    thread = threading.Thread(target=made._run, args=("apply",))
    thread.start()
    until(lambda: made.told)  # it waits for the orphan, by the lock that Terraform inherited
    assert fake_terraform.calls("apply") == []
    (fake_terraform.home / "go").touch()
    thread.join(10)
    assert (fake_terraform.home / "plan.ended").exists()
    assert len(fake_terraform.calls("apply")) == 1


def test_an_interrupted_run_waits_for_terraform(child, fake_terraform):
    child.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)
    (fake_terraform.home / "go").touch()
    assert child.wait(10) == 130
    assert (fake_terraform.home / "plan.ended").exists()


# ---- init ----


def test_init_configures_the_backend_and_trusts_only_the_lock_file(stack, fake_terraform):
    stack().plan()
    (call,) = fake_terraform.calls("init")
    for wanted in (
        "-lockfile=readonly",
        "-reconfigure",
        "-input=false",
        "-backend-config=bucket=states",
        "-backend-config=key=test/foundation.tfstate",
        "-backend-config=use_lockfile=true",
    ):
        assert wanted in call["arguments"]


def test_init_is_skipped_while_nothing_changes(stack, fake_terraform):
    stack().plan()
    made = stack(variables={"other": 1})
    made.plan()
    assert len(fake_terraform.calls("init")) == 1
    assert "terraform init" not in made.told


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


def test_init_is_not_repeated_for_other_changes(stack, fake_terraform, repository):
    stack().plan()
    (repository / "terraform" / "foundation" / "variables.tf").write_text('variable "colour" {}\n')
    stack().plan()
    assert len(fake_terraform.calls("init")) == 1


def test_another_aws_has_its_own_work_folder_and_init(stack, fake_terraform, monkeypatch):
    one = stack()
    one.plan()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5999")
    two = stack()
    two.plan()
    assert one.work != two.work
    assert len(fake_terraform.calls("init")) == 2


def test_without_a_state_bucket_a_copy_is_planned_as_new(stack, fake_terraform, repository):
    made = stack(state_bucket=None)
    made.plan()
    assert made.folder != repository / "terraform" / "foundation"
    assert 'backend "local"' in (made.folder / "backend_override.tf").read_text()
    assert not (repository / "terraform" / "foundation" / "backend_override.tf").exists()
    assert not any("backend-config" in a for a in fake_terraform.calls("init")[0]["arguments"])


# ---- environment and the executable ----


def test_the_environment_is_terraform_s_only_while_it_runs(stack, fake_terraform, monkeypatch):
    monkeypatch.setenv("TF_IN_AUTOMATION", "before")
    before = dict(os.environ)
    made = stack()
    made.plan()
    assert dict(os.environ) == before
    environment = fake_terraform.calls("plan")[0]["environment"]
    assert environment["TF_DATA_DIR"] == str(made.work / "data")
    assert environment["CHECKPOINT_DISABLE"] == "1"
    assert environment["TF_IN_AUTOMATION"] == "1"


def test_a_configuration_that_is_missing_is_replaced_by_ours(stack, fake_terraform, monkeypatch, repository):
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/nowhere/terraform.tfrc")
    stack().plan()
    used = fake_terraform.calls("plan")[0]["environment"]["TF_CLI_CONFIG_FILE"]
    assert Path(used).is_relative_to(repository)
    assert os.environ["TF_CLI_CONFIG_FILE"] == "/nowhere/terraform.tfrc"


def test_terraform_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperatorError, match=r"^Terraform is not on this machine: install Terraform 1\.11"):
        terraform.binary()


@pytest.mark.parametrize("version", ["1.10.5", "0.15.0", "1.9.12-rc1"])
def test_terraform_is_too_old(fake_terraform, version):
    fake_terraform.does("version", {"lines": [f'{{"terraform_version": "{version}"}}']})
    with pytest.raises(OperatorError, match=rf"is Terraform {version}, too old .* install Terraform 1\.11"):
        terraform.binary()


@pytest.mark.parametrize("version", ["1.11.0", "1.15.2", "2.0.0-beta1"])
def test_terraform_is_new_enough(fake_terraform, version):
    fake_terraform.does("version", {"lines": [f'{{"terraform_version": "{version}"}}']})
    assert terraform.binary() == str(fake_terraform.program)


@pytest.mark.parametrize("step", [{"rc": 1}, {"lines": ["no version"]}, {"lines": ["{}"]}])
def test_a_terraform_that_does_not_run(fake_terraform, step):
    fake_terraform.does("version", step)
    with pytest.raises(OperatorError, match="does not tell its version"):
        terraform.binary()


def test_the_version_is_asked_once(fake_terraform):
    terraform.binary()
    terraform.binary()
    assert len(fake_terraform.calls("version")) == 1
