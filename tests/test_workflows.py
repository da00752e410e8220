"""The CI workflows pass their linters, are pinned, have least privileges and use commands that exist."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from invoke.parser import Parser

import tasks
from ops import settings as environments
from ops.plan_report import gates, markdown

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((GITHUB / "workflows").iterdir())}
ACTION = GITHUB / "actions" / "setup" / "action.yml"
JOBS = {f"{name}/{job}": body for name, flow in WORKFLOWS.items() for job, body in flow["jobs"].items()}
STEPS = [
    *((name, step) for name, job in JOBS.items() for step in job["steps"]),
    *(("setup", step) for step in yaml.safe_load(ACTION.read_text())["runs"]["steps"]),
]
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
LINTERS = Path(sys.executable).parent  # in the same virtual environment

BAD = """
name: bad
on: {trigger}
permissions: {permissions}
jobs:
  bad:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@{version}
        with: {{{persist}}}
      - run: echo "{text}"
  another:
    runs-on: ubuntu-24.04
    steps:
      - run: "true"
"""
GOOD = {
    "trigger": "push",
    "permissions": "{}",
    "version": "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
    "persist": "persist-credentials: false",
    "text": "hello",
}


def zizmor(path: Path) -> set[str]:
    """Return the audits with findings."""
    command = [LINTERS / "zizmor", "--offline", "--quiet", "--format=json-v1", path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout, done.stderr
    return {finding["ident"] for finding in json.loads(done.stdout)}


def schema(name: str, *paths: Path) -> Result:
    """Run check-jsonschema in this process, as starting it takes longer than all checks."""
    import check_jsonschema

    arguments = ["--builtin-schema", f"vendor.{name}", *map(str, paths)]
    return CliRunner().invoke(check_jsonschema.main, arguments)


def writes(job: dict) -> set[str]:
    """Return the scopes in which the token of a job can write."""
    return {right for right, level in job["permissions"].items() if level == "write"}


# ---- linters ----


def test_zizmor_has_no_findings():
    assert zizmor(GITHUB) == set()


@pytest.mark.parametrize(
    ("change", "audit"),
    [
        ({"trigger": "pull_request_target"}, "dangerous-triggers"),
        ({"permissions": "write-all"}, "excessive-permissions"),
        ({"version": "v7"}, "unpinned-uses"),
        ({"persist": ""}, "artipacked"),
        ({"text": "${{ github.event.pull_request.title }}"}, "template-injection"),
    ],
)
def test_zizmor_reports_a_bad_workflow(tmp_path, change, audit):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "bad.yml").write_text(BAD.format(**GOOD))
    assert zizmor(folder / "bad.yml") == set()
    (folder / "bad.yml").write_text(BAD.format(**GOOD | change))
    assert audit in zizmor(folder / "bad.yml")


def test_the_files_match_github_s_schemas(tmp_path):
    for name, paths in {
        "github-workflows": sorted((GITHUB / "workflows").iterdir()),
        "github-actions": [ACTION],
        "dependabot": [GITHUB / "dependabot.yml"],
    }.items():
        done = schema(name, *paths)
        assert done.exit_code == 0, done.output
    bad = tmp_path / "bad.yml"
    bad.write_text(BAD.format(**GOOD).replace("runs-on", "runs_on"))
    done = schema("github-workflows", bad)
    assert done.exit_code == 1 and "runs_on" in done.output


def test_dependabot_has_every_terraform_root():
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text())["updates"]
    (terraform,) = [update for update in updates if update["package-ecosystem"] == "terraform"]
    locks = (ROOT / "terraform").glob("*/.terraform.lock.hcl")
    assert terraform["directories"] == sorted(f"/terraform/{lock.parent.name}" for lock in locks)


# ---- rules that the linters do not check ----


def test_every_action_is_pinned_to_a_commit_with_its_version():
    texts = [path.read_text() for path in (*(GITHUB / "workflows").iterdir(), ACTION)]
    used = [line for text in texts for line in re.findall(r"uses: (.*)", text)]
    ours = "./.github/actions/setup"
    assert [
        u for u in used if u != ours and not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+.*", u)
    ] == []
    pins = dict(line.split("@", 1) for line in used if line != ours)
    assert all(line == ours or line.split("@", 1)[1][:40] == pins[line.split("@")[0]][:40] for line in used)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_no_default_permissions_and_cancels_outdated_runs(name):
    flow = WORKFLOWS[name]
    assert flow["permissions"] == {}
    assert "pull_request_target" not in flow[True]  # YAML's `on`
    assert flow["concurrency"]["cancel-in-progress"] is (name != "apply")


@pytest.mark.parametrize("name", JOBS)
def test_a_job_has_least_privileges_and_a_timeout(name):
    job = JOBS[name]
    assert job["timeout-minutes"] <= 60
    assumes = any("configure-aws-credentials" in step.get("uses", "") for step in job["steps"])
    assert ("id-token" in writes(job)) == assumes
    others = {"plan/report": {"pull-requests"}, "security/upload": {"security-events"}}
    assert writes(job) - {"id-token"} == others.get(name, set())
    if others.get(name):  # a job that can write to GitHub runs no code of the pull request
        assert not any("./" in step.get("run", "") + step.get("uses", "") for step in job["steps"])


def test_scripts_use_no_expressions():
    assert [name for name, step in STEPS if "${{" in step.get("run", "")] == []


def test_a_checkout_does_not_persist_credentials():
    checkouts = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == 6
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_each_job_assumes_the_right_role():
    roles = {
        name: step["with"]["role-to-assume"]
        for name, step in STEPS
        if "configure-aws-credentials" in step.get("uses", "")
    }
    assert roles == {
        "plan/plan": "${{ env.ROLE }}",
        "apply/plan": "${{ vars.AWS_CI_PLAN_ROLE }}",
        "apply/apply": "${{ vars.AWS_CI_APPLY_ROLE }}",
    }
    assert JOBS["plan/plan"]["env"]["ROLE"] == f"${{{{ {SAME_REPOSITORY} && vars.AWS_CI_PLAN_ROLE || '' }}}}"
    regions = {step["with"]["aws-region"] for _, step in STEPS if "role-to-assume" in step.get("with", {})}
    assert regions == {environments.load("prod").region}
    protected = [name for name, job in JOBS.items() if "environment" in job]
    assert protected == ["apply/apply"] and JOBS["apply/apply"]["environment"] == "prod"


def test_the_roles_trust_only_the_jobs_that_assume_them():
    """GitHub sets the subject of a job's token to its environment, or else to its trigger."""

    def subjects(document: str) -> set[str]:
        (statement,) = json.loads((ROOT / "policies" / "trust" / document).read_text())["Statement"]
        subject = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
        return {subject} if isinstance(subject, str) else set(subject)

    assert list(WORKFLOWS["plan"][True]) == ["pull_request"]
    assert WORKFLOWS["apply"][True]["push"] == {"branches": ["main"]}
    repository = "repo:${repository}"
    assert subjects("github_pull_requests.json") == {
        f"{repository}:pull_request",
        f"{repository}:ref:refs/heads/main",
    }
    assert subjects("github_environment.json") == {f"{repository}:environment:${{github_environment}}"}


def test_jobs_that_can_change_the_account_use_no_cache():
    for name in ("apply/plan", "apply/apply"):
        (setup,) = [step for step in JOBS[name]["steps"] if step.get("uses", "").startswith("./")]
        assert setup["with"] == {"cached": "false"}
    cached = [step for _, step in STEPS if step.get("uses", "").startswith("actions/cache@")]
    assert len(cached) == 2 and all(step["if"] == "inputs.cached == 'true'" for step in cached)


def test_the_cache_key_covers_every_file_that_venv_is_built_from():
    """With a key that leaves one out, every job would restore an outdated environment and build it again."""
    (stamp,) = re.findall(r"^stamp=\$\(cat (.+) \| cksum\)$", (ROOT / "inv").read_text(), re.MULTILINE)
    files = stamp.replace('"', "").replace("$here/", "").split()
    (key,) = [
        step["with"]["key"] for _, step in STEPS if step.get("with", {}).get("key", "").startswith("venv-")
    ]
    patterns = re.search(r"hashFiles\((.+)\)", key)[1].replace("'", "").split(", ")
    assert len(files) == 3 and all(any(fnmatch(file, pattern) for pattern in patterns) for file in files)


# ---- commands ----


def commands() -> list[list[str]]:
    """Return the arguments of every ./inv in the workflows."""
    found = []
    for _, step in STEPS:
        for line in step.get("run", "").splitlines():
            if "./inv" not in line:
                continue
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = list(lexer)
            rest = words[words.index("./inv") + 1 :]
            ends = [i for i, word in enumerate(rest) if word in ("||", "&&", ";", ">", ">>", "|")]
            found.append(rest[: ends[0]] if ends else rest)
    return found


COMMANDS = [words for words in commands() if words[0] != "--list"]  # --list is an option of invoke


def parse(words: list[str]) -> dict:
    """Return the task of a command and its options."""
    (task,) = Parser(contexts=tasks.namespace.to_contexts()).parse_argv(words)
    return {"task": task.name, **{name: arg.value for name, arg in task.args.items() if arg.got_value}}


def test_every_command_exists_with_its_options():
    parsed = [parse(words) for words in COMMANDS]
    assert {"task": "apply", "env": "prod", "plan": "plan"} in parsed
    assert {command["task"] for command in parsed} == {"plan", "apply", "check"}
    assert {command["env"] for command in parsed} == {"prod"}
    (saved,) = [command["save"] for command in parsed if "save" in command]
    assert saved == next(command["plan"] for command in parsed if "plan" in command)


@pytest.mark.parametrize("line", ["plan --no-such-option", "nosuch", "apply --plan"])
def test_a_command_that_does_not_exist_is_detected(line):
    with pytest.raises(Exception, match=r"No idea what|needed value"):
        parse(line.split())


def test_the_gates_exist():
    (listed,) = [command["fail-on"] for command in map(parse, COMMANDS) if "fail-on" in command]
    assert gates.parse(listed) == ["destroy", "new-permission", "finding", "cost>50"]


# ---- scripts ----


def needs(program: str):
    return pytest.mark.skipif(
        not shutil.which(program), reason=f"{program} is not installed; GitHub's runners have it"
    )


GH = """#!/bin/sh
# A fake of GitHub's CLI: reads comments.json and supports --jq.
echo "$@" >> calls
case "$*" in
  *--paginate*) while [ "$1" != --jq ]; do shift; done; jq -r "$2" comments.json ;;
esac
"""


def script(job: str, part: str) -> str:
    """Return the script of a job that contains a text."""
    (step,) = [step for name, step in STEPS if name == job and part in step.get("run", "")]
    return step["run"]


def bash(text: str, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """Run a script as GitHub does."""
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    environment = {"PATH": path, "HOME": str(folder), **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@needs("jq")
@pytest.mark.parametrize(
    ("comments", "call"),
    [
        ([], "api --silent --method POST repos/a/b/issues/5/comments --field body=@plan.md"),
        (
            [
                {"id": 1, "user": {"login": "someone"}, "body": f"{markdown.marker('prod')}\nquoted"},
                {
                    "id": 2,
                    "user": {"login": "github-actions[bot]"},
                    "body": f"{markdown.marker('dev')}\nother",
                },
                {
                    "id": 3,
                    "user": {"login": "github-actions[bot]"},
                    "body": f"{markdown.marker('prod')}\nold",
                },
            ],
            "api --silent --method PATCH repos/a/b/issues/comments/3 --field body=@plan.md",
        ),
    ],
)
def test_the_report_is_one_comment_that_is_updated(tmp_path, comments, call):
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "comments.json").write_text(json.dumps(comments))
    (tmp_path / "plan.md").write_text(markdown.render("prod", []))
    done = bash(script("plan/report", "gh api"), tmp_path, REPOSITORY="a/b", NUMBER="5")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text().splitlines()[-1] == call


@pytest.mark.parametrize(
    ("report", "code", "failed", "status"),
    [("# plan", 0, False, "0"), ("# plan", 1, False, "1"), ("", 1, True, None)],
)
def test_a_failing_gate_keeps_the_report_and_a_failing_plan_fails_at_once(
    tmp_path, report, code, failed, status
):
    (tmp_path / "inv").write_text(f'#!/bin/sh\nprintf "{report}" > plan.md\nexit {code}\n')
    (tmp_path / "inv").chmod(0o755)
    done = bash(
        script("plan/plan", "./inv plan"),
        tmp_path,
        GITHUB_STEP_SUMMARY="summary",
        GITHUB_OUTPUT="output",
    )
    assert bool(done.returncode) is failed
    if not failed:
        assert (tmp_path / "summary").read_text() == report
        assert (tmp_path / "output").read_text() == f"status={status}\n"
        gate = bash(script("plan/report", "$STATUS"), tmp_path, STATUS=status)
        assert gate.returncode == int(status)


@pytest.fixture
def no_gpg_agent(tmp_path):
    """Stop the agent that gpg starts for a home folder."""
    yield
    bash("gpgconf --kill gpg-agent", tmp_path)


@pytest.mark.slow
@needs("gpg")
def test_the_saved_plan_is_encrypted_between_jobs(tmp_path, no_gpg_agent):
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "manifest.json").write_text("state and inputs")
    pack, unpack = script("apply/plan", "--symmetric"), script("apply/apply", "--decrypt")
    refused = bash(pack, tmp_path, PASSPHRASE="")
    assert refused.returncode == 1 and "The secret PLAN_PASSPHRASE is missing" in refused.stdout
    assert bash(pack, tmp_path, PASSPHRASE="a secret").returncode == 0
    assert b"state and inputs" not in (tmp_path / "plan.tar.gpg").read_bytes()
    (tmp_path / "plan" / "manifest.json").unlink()
    assert bash(unpack, tmp_path, PASSPHRASE="another").returncode != 0
    assert bash(unpack, tmp_path, PASSPHRASE="a secret").returncode == 0
    assert (tmp_path / "plan" / "manifest.json").read_text() == "state and inputs"
