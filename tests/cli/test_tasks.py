"""The command line: tasks and options, help, errors of one sentence, JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError

import tasks
from cli import embedded, task
from cli.program import Inv
from embedded_aws import client
from ops import console
from ops.errors import OperatorError
from ops.interrupts import Interrupted
from ops.paths import ROOT
from pipeline import status

# Everything that scripts and people type: a change here breaks them, so it must be intended.
SURFACE = {
    "apply": "--endpoint --env --json --model --plan --stack",
    "check": "--env --json --report-dir --stack --tests",
    "data": "--env --instance-type --json --on --skip-bad --source --split --stop",
    "demo": "--json",
    "ec2.down": "--env --json",
    "ec2.train": "--again --env --instance-type --json --keep --spot",
    "deploy": "--allow-other-data --endpoint --env --json --model",
    "doctor": "--env --json",
    "destroy": "--endpoint --env --json --stack --yes",
    "down": "--env --json --keep --sweep --yes",
    "bench": "--architecture --images --json --only --what",
    "faults": "--json --only --parallel --seeds --write",
    "local.down": "--forget",
    "local.interrupt": "--job --seconds",
    "local.status": "--json",
    "local.up": "--port --time-scale",
    "models": "--approve --because --env --json --reject",
    "policies": "--env --json --role",
    "plan": "--endpoint --env --fail-on --json --model --report --save --stack",
    "predict": "--endpoint --env --image --json --limit --s3 --split --top-k --url",
    "report": "--compare --env --json --open --output --version",
    "rollback": "--allow-other-data --endpoint --env --json",
    "status": "--env --json",
    "test": "--quick --slowest -k",
    "train": "--again --env --find-lr --instances --json --on --stop",
    "tune": "--again --early-stopping --env --from --jobs --json --original --parallel --spot --stop --strategy",
    "unlock": "--endpoint --env --force --json --stack --yes",
    "up": "--env --json --skip-bad --source --split",
    "workbench.down": "--env --json",
    "workbench.open": "--env --json",
    "workbench.up": "--env --instance-type --internet --json --kind",
}
CONTEXTS = {context.name: context for context in tasks.namespace.to_contexts()}


@pytest.fixture
def inv(capsys, monkeypatch, tmp_path):
    """Return a function that runs a command line, and returns exit code, standard output and standard error."""
    monkeypatch.setenv("EMBEDDED_AWS_HOME", str(tmp_path / "embedded_aws"))
    monkeypatch.delenv("INVOKE_ENV", raising=False)
    console.console.cache_clear()

    def run(*arguments: str) -> tuple[int, str, str]:
        program = Inv(name="inv", binary="inv", version="1")
        try:
            program.run(["inv", "-r", str(ROOT), *arguments])
        except SystemExit as ended:
            return (ended.code or 0, *capsys.readouterr())
        return (0, *capsys.readouterr())

    yield run
    console.console.cache_clear()


@pytest.fixture
def keys(monkeypatch) -> None:
    """Credentials: a command on AWS signs in first."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")


def sentence(error: str) -> str:
    """Return the last line of a failed command, which must not be a traceback."""
    assert "Traceback" not in error
    return error.strip().splitlines()[-1]


# ---- tasks and options ----


def test_the_command_line_has_not_changed():
    surface = {
        name: " ".join(
            sorted(
                ("--" if len(arg.name) > 1 else "-") + arg.name.strip("_").replace("_", "-")
                for arg in context.args.values()
            )
        )
        for name, context in CONTEXTS.items()
    }
    assert surface == SURFACE


@pytest.mark.parametrize("name", CONTEXTS)
def test_every_task_and_every_option_has_help(name):
    context = CONTEXTS[name]
    undocumented = [arg.name for arg in context.args.values() if not arg.help]
    assert undocumented == []
    first = (tasks.namespace[name].__doc__ or "").strip().splitlines()[0]
    assert first.endswith((".", '".')) or first.endswith(')".'), f"--list shows a cut sentence: {first!r}"


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name in CONTEXTS
        if name not in ("test", "demo", "faults", "bench") and not name.startswith("local.")
    ),
)
def test_every_task_of_an_environment_takes_env_and_json(name):
    assert {"--env", "--json"} <= set(CONTEXTS[name].flags)


def test_a_list_of_tasks_loads_nothing_heavy():
    program = (
        "import sys, tasks; heavy = {'boto3', 'botocore', 'moto', 'torch', 'sklearn', 'sagemaker', 'PIL', 'rich'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# ---- errors ----


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nosuch", "No idea what 'nosuch' is! ./inv --list shows the tasks"),
        ("status --nosuch", "No idea what '--nosuch' is!"),
        ("train --instances many", "takes a number: invalid literal for int() with base 10: 'many'"),
        ("status --env nowhere", "inv: Unknown environment 'nowhere': choose one of dev, local, prod"),
        ("up --env nowhere", "inv: Unknown environment 'nowhere'"),
        ("down --env nowhere", "inv: Unknown environment 'nowhere'"),
        ("check --env nowhere", "inv: Unknown environment 'nowhere'"),
        ("check --stack nowhere", "inv: There is no stack 'nowhere'"),
        ("plan --stack nowhere", "inv: There is no stack 'nowhere': choose access, foundation or serving."),
        (
            "down --env dev",
            "inv: To remove environment dev, the environment's name has to be typed, and there is no terminal",
        ),
        (
            "destroy --env dev",
            "inv: To destroy serving and foundation of environment dev, the environment's name has",
        ),
        ("down --keep date", "inv: --keep date: choose data, models, or data,models."),
        ("destroy --stack nowhere", "inv: There is no stack 'nowhere'"),
        ("workbench.up --kind office", "inv: --kind office: choose studio or notebook."),
        ("workbench.up --instance-type ml.t3.meduim", "did you mean ml.t3.medium"),
        ("ec2.train --env dev", "inv: No AWS credentials for ./inv ec2.train: sign in"),
        (
            "policies --env dev",
            "inv: Environment dev is on AWS, which keeps no record of every access decision",
        ),
        ("status --env dev", "inv: No AWS credentials for ./inv status: sign in"),
        ("apply --stack foundation --model 3", "inv: --model: only stack serving uses it. Omit it."),
        (
            "apply --stack access --model 3 --endpoint multi",
            "inv: --model and --endpoint: only stack serving uses it. Omit them.",
        ),
        ("plan --stack foundation --endpoint multi", "inv: --endpoint: only stack serving uses it."),
        ("destroy --stack foundation --endpoint multi", "inv: --endpoint: only stack serving uses it."),
        ("unlock --stack foundation --endpoint multi", "inv: --endpoint: only stack serving uses it."),
        (
            "unlock --stack nowhere",
            "inv: There is no stack 'nowhere': choose access, foundation, serving, training_host",
        ),
        ("unlock --yes", "inv: --yes: without --force nothing is asked. Omit it."),
        ("apply --plan saved --stack serving", "inv: --stack: the plan in saved already says which stacks"),
        ("apply --stack nowhere", "inv: There is no stack 'nowhere'"),
        ("predict --split test --image a.png", "inv: --image: --split sends the images of the data set."),
        ("predict --limit 3", "inv: --limit: only --split sends several images."),
        ("models --approve 1 --reject 2", "inv: --approve and --reject: decide about one version at a time."),
        ("models --because good", "inv: --because: only --approve and --reject have a reason. Omit it."),
        ("models --env prod", "inv: No AWS credentials for ./inv models: sign in"),
        ("plan --env dev", "inv: No AWS credentials for ./inv plan: sign in"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(inv, line, message):
    code, out, error = inv(*line.split())
    assert (code, out) == (1, "")
    assert message in sentence(error)


def test_invoke_env_chooses_the_environment(inv, monkeypatch):
    monkeypatch.setenv("INVOKE_ENV", "nowhere")
    assert "Unknown environment 'nowhere'" in sentence(inv("status")[2])


@pytest.mark.parametrize("port", ["http", "80", "70000"])
def test_a_wrong_port_is_refused_before_anything_starts(inv, monkeypatch, port, tmp_path):
    monkeypatch.setenv("EMBEDDED_AWS_PORT", port)
    code, _, error = inv("models")
    assert code == 1
    assert sentence(error) == f"inv: EMBEDDED_AWS_PORT is '{port}': give a port from 1024 to 65535."
    code, _, error = inv("local.up", "--port", "70000")  # the option comes before the variable
    assert code == 1
    assert "inv: --port is '70000': give a port from 1024 to 65535." in error
    assert not (tmp_path / "embedded_aws").exists()


def test_an_unknown_gate_is_refused_before_anything_starts(inv, tmp_path):
    code, _, error = inv("plan", "--fail-on", "nosuch")
    assert code == 1
    assert sentence(error).startswith("inv: --fail-on nosuch: unknown gate")
    assert not (tmp_path / "embedded_aws").exists()


DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized."}}, "GetParameter")


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (OperatorError("No data yet: run ./inv data."), 1, "inv: No data yet: run ./inv data."),
        (DENIED, 1, "inv: AWS refused during ./inv status: AccessDenied: not authorized."),
        (OSError(28, "No space left on device"), 1, "inv: OSError: [Errno 28] No space left on device"),
        (KeyboardInterrupt(), 130, "inv: interrupted; run the same command again to resume."),
        (Interrupted(15), 143, "inv: interrupted; run the same command again to resume."),
    ],
)
def test_an_error_of_a_task_is_one_sentence(inv, keys, monkeypatch, raised, code, message):
    def fail(*_: object):
        raise raised

    monkeypatch.setattr(status, "collect", fail)
    ended, out, error = inv("status", "--env", "dev", "--json")
    assert ended == code
    assert sentence(error) == message
    if code == 1:
        assert json.loads(out) == {"outcome": "failed", "reason": message.removeprefix("inv: ")}
    else:
        assert out == ""


def test_a_bug_raises_its_exception(inv, keys, monkeypatch):
    def fail(*_: object):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(status, "collect", fail)
    with pytest.raises(ZeroDivisionError):
        inv("status", "--env", "dev")


# ---- output ----

EMPTY = {
    "foundation": None,
    "data": None,
    "tuning": None,
    "data_jobs": [],
    "models": [],
    "endpoints": [],
    "host": None,
    "workbench": None,
    "unfinished": [],
    "attention": [],
}


def test_data_options_that_have_no_use_are_refused(inv):
    code, _, error = inv("data", "--on", "ec2")
    assert code == 1 and "--on ec2: give here or sagemaker." in error
    code, _, error = inv("data", "--instance-type", "ml.m5.xlarge")
    assert code == 1 and "--instance-type: only --on sagemaker runs on an instance" in error


def test_status_without_an_embedded_aws(inv):
    code, out, error = inv("status", "--json")
    assert code == 0
    assert json.loads(out) == {"embedded_aws": {"running": False}}
    assert "The embedded AWS is not running: nothing is in service" in error


def test_without_json_standard_output_is_empty(inv):
    assert inv("status")[1] == ""
    assert inv("local.status")[1] == ""


def test_local_interrupt_needs_a_running_embedded_aws(inv):
    code, _, error = inv("local.interrupt", "some-job")
    assert code == 1
    assert "embedded AWS" in sentence(error)


def test_local_status_as_json(inv, tmp_path):
    code, out, _ = inv("local.status", "--json")
    found = json.loads(out)
    assert (code, found["running"]) == (0, False)
    assert found["home"] == str(tmp_path / "embedded_aws")


WARNING = "AWS_ENDPOINT_URL is set: environment dev uses the AWS at http://127.0.0.1:1."


def test_an_endpoint_url_is_reported(inv, keys, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    env = task.connect("dev")
    assert env.settings.environment == "dev"
    assert WARNING in capsys.readouterr().err
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    task.connect("dev")
    assert capsys.readouterr().err == ""


def test_status_reports_an_endpoint_url(inv, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(status, "collect", lambda *_: EMPTY)
    assert WARNING in inv("status", "--env", "dev")[2]


def test_down_before_anything_was_started(inv):
    code, out, error = inv("down", "--json")
    assert (code, json.loads(out)) == (0, {"kept": [], "left": []})
    assert "Nothing exists" in error


def test_status_of_an_environment_as_json(inv, keys, monkeypatch):
    monkeypatch.setattr(status, "collect", lambda *_: EMPTY)
    code, out, error = inv("status", "--env", "dev", "--json")
    assert (code, json.loads(out)) == (0, EMPTY)
    assert "Environment dev" in error


def test_local_up_prints_variables_for_a_shell(inv, monkeypatch, tmp_path):
    address = client.Address(tmp_path, 5999, 1)
    variables = {"AWS_ENDPOINT_URL": address.endpoint_url, "AWS_REGION": "us-east-1"}
    monkeypatch.setattr(client, "start", lambda *_: address)
    monkeypatch.setattr(client, "variables", lambda *_: variables)
    monkeypatch.setenv("AWS_PROFILE", "production")  # it would select the credentials
    code, out, _ = inv("local.up")
    assert code == 0
    unset = [line for line in out.splitlines() if line.startswith("unset ")]
    assert "unset AWS_PROFILE" in unset and "unset AWS_REGION" not in unset
    assert out.splitlines()[len(unset) :] == [f"export {name}={value}" for name, value in variables.items()]


def test_an_isolated_process_uses_nothing_of_the_shell(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "BOTO_CONFIG"):
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("NO_PROXY", "a.example")
    monkeypatch.setenv("no_proxy", "")
    embedded.isolate()
    left = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "BOTO"))}
    assert left == {
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert os.environ["no_proxy"] == "a.example,127.0.0.1,localhost,::1"


def test_pointing_at_the_embedded_aws_removes_variables_of_other_accounts(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setattr(client, "variables", lambda *_: {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    embedded.point_at("us-east-1")
    left = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    assert left == {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    # The session of a role there is kept.
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    embedded.point_at("us-east-1")
    assert os.environ["AWS_SESSION_TOKEN"] == "token"
