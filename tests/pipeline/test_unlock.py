"""The locks of dead commands are released; those of others are kept, and forced only if nothing here runs."""

from __future__ import annotations

import fcntl
import json

import pytest

import tasks
from ops import console
from ops.errors import OperatorError
from ops.terraform import lock_owner
from pipeline import unlock

ME = lock_owner.user_at_host()
THEIRS = {"Who": "ann@elsewhere"}


@pytest.fixture
def lock(moto_aws, dev, tmp_path):
    """Return a function that locks a state of the environment: for a command of this process, or with other fields."""
    s3 = dev.client("s3")
    s3.create_bucket(Bucket=dev.state_bucket)

    def make(name: str, body: bytes | None = None, started: str = "", **fields: str) -> None:
        owner = lock_owner.this_process(tmp_path / "run.jsonl")
        owner = owner.model_copy(update={"command": "./inv up", "started": started or owner.started})
        info = {
            "ID": "1",
            "Who": ME,
            "Info": owner.model_dump_json(),
            "Operation": "OperationTypeApply",
            **fields,
        }
        s3.put_object(
            Bucket=dev.state_bucket, Key=f"{name}.tfstate.tflock", Body=body or json.dumps(info).encode()
        )

    return make


@pytest.fixture
def run(dev, monkeypatch, capsys):
    """Return a function that runs `./inv unlock` with options, and returns its JSON."""
    monkeypatch.setattr("cli.unlock.connect", lambda name: dev)
    console.console.cache_clear()

    def call(**options) -> dict:
        try:
            tasks.namespace["unlock"].body.__wrapped__(None, json=True, **options)
        finally:
            call.out = capsys.readouterr()
        return json.loads(call.out.out)

    yield call
    console.console.cache_clear()


def keys(dev) -> list[str]:
    listed = dev.client("s3").list_objects_v2(Bucket=dev.state_bucket).get("Contents", [])
    return [item["Key"].removesuffix(".tfstate.tflock") for item in listed]


def stacks_of(found) -> list[str]:
    return [item.stack for item in found]


def test_the_locks_of_an_environment_and_of_one_stack_are_found(lock, dev):
    for name in ("dev/foundation", "dev/serving/image-classifier-dev", "dev/serving/b", "prod/foundation"):
        lock(name)
    lock("_access/dev")
    dev.client("s3").put_object(Bucket=dev.state_bucket, Key="dev/foundation.tfstate", Body=b"{}")
    every = ["foundation", "serving/b", "serving/image-classifier-dev"]
    assert stacks_of(unlock.find(dev)) == every
    assert stacks_of(unlock.find(dev, "serving")) == every[1:]
    assert stacks_of(unlock.find(dev, "serving", "b")) == ["serving/b"]
    assert stacks_of(unlock.find(dev, None, "b")) == ["serving/b"]
    assert stacks_of(unlock.find(dev, "access")) == ["access"]


def test_without_a_state_bucket_nothing_is_locked(moto_aws, dev):
    assert unlock.find(dev) == []


def test_dead_commands_lose_their_locks_and_others_keep_them(lock, dev, run):
    lock("dev/foundation", started="long ago")
    lock("dev/serving/b", **THEIRS)
    with pytest.raises(OperatorError) as kept:
        run()
    assert keys(dev) == ["dev/serving/b"]
    assert str(kept.value) == (
        "Not released: serving/b (ann@elsewhere). Ask the owner to stop the command with Ctrl-C or to let it end. If you "
        "know that its command has ended, release it with ./inv unlock --env dev --force."
    )
    result = json.loads(run.out.out)
    assert [item["stack"] for item in result["released"]] == ["foundation"]
    (item,) = result["kept"]
    assert (item["who"], item["command"], item["state"]) == ("ann@elsewhere", "./inv up", "unknown")
    assert item["kept_because"] == "whether it still runs is known only to ann@elsewhere"


def test_a_running_terraform_of_a_dead_command_keeps_its_lock(lock, dev, run, tmp_path):
    lock("dev/foundation", started="long ago")
    with open(tmp_path / "run.jsonl", "w", encoding="utf-8") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        with pytest.raises(OperatorError, match=r"Not released: foundation"):
            run()
        with pytest.raises(OperatorError, match="its Terraform still runs on this machine"):
            run(force=True, yes=True)
    assert keys(dev) == ["dev/foundation"]
    run()
    assert keys(dev) == []


def test_a_running_command_of_this_machine_is_never_forced(lock, dev, run):
    lock("dev/foundation")
    with pytest.raises(OperatorError, match="Not released") as kept:
        run()
    assert "--force" not in str(kept.value)
    with pytest.raises(OperatorError, match="its command still runs on this machine"):
        run(force=True, yes=True)
    assert keys(dev) == ["dev/foundation"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [(None, THEIRS), (None, {"Info": ""}), (b"not JSON", {})],
    ids=["another machine", "plain Terraform", "no lock"],
)
def test_a_lock_of_an_unknown_owner_is_released_with_force_and_the_name(
    lock, dev, run, monkeypatch, body, fields
):
    lock("dev/foundation", body=body, **fields)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: "prod")
    with pytest.raises(OperatorError, match="'prod' is not 'dev'"):
        run(force=True)
    assert keys(dev) == ["dev/foundation"]
    monkeypatch.setattr("builtins.input", lambda prompt: "dev")
    assert [item["stack"] for item in run(force=True)["released"]] == ["foundation"]
    assert keys(dev) == []


def test_a_lock_that_was_replaced_meanwhile_is_kept(lock, dev):
    lock("dev/foundation", started="long ago")
    found = unlock.find(dev)
    lock("dev/foundation")
    assert unlock.release(dev, found) == []
    assert keys(dev) == ["dev/foundation"]


def test_without_locks_there_is_nothing_to_do(lock, run):
    assert run() == {"released": [], "kept": []}
