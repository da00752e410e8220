"""State locks: taken by one command at a time, kept for a living owner, taken over from a dead one."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from datetime import datetime, timezone

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ops import console, processes
from ops.environment import Environment
from ops.errors import OperatorError
from ops.terraform import lock_owner, locks
from ops.terraform.locks import StateLock

KEY = "test/foundation.tfstate"
LOCK = f"{KEY}.tflock"
ME = lock_owner.user_at_host()


@pytest.fixture
def lock(s3, tmp_path, fake_terraform):
    """Return a function that makes the lock of one state. Its progress texts are in `lock.texts`."""
    texts: list[str] = []

    def make(client=s3) -> StateLock:
        return StateLock(
            client,
            "states",
            KEY,
            "foundation",
            tmp_path / "run.jsonl",
            lambda text, important=False: texts.append(text),
            "./inv unlock",
        )

    make.texts = texts
    return make


def info(owner: lock_owner.Owner | None = None, **other) -> bytes:
    """Return a lock object of another command of this user on this machine."""
    fields = {
        "ID": "4711",
        "Operation": "OperationTypeApply",
        "Info": owner.model_dump_json() if owner else "",
        "Who": ME,
        "Version": "1.11.4",
        "Created": datetime.now(timezone.utc).isoformat(),
        "Path": f"states/{KEY}",
    }
    return json.dumps({**fields, **other}).encode()


def owner(tmp_path, **other) -> lock_owner.Owner:
    """Return a command that still runs: this process."""
    return lock_owner.this_process(tmp_path / "other.jsonl").model_copy(
        update={"command": "./inv deploy", **other}
    )


def dead(tmp_path, **other) -> lock_owner.Owner:
    """Return a command that has ended. Its process ID is in use again, by this process."""
    return owner(tmp_path, started="long ago", **other)


# ---- taking and releasing ----


def test_the_lock_is_one_that_terraform_reads(lock, s3):
    held = lock().acquire()
    written = json.load(s3.get_object(Bucket="states", Key=LOCK)["Body"])
    assert written.keys() == {"ID", "Operation", "Info", "Who", "Version", "Created", "Path"}
    assert (written["Who"], written["Path"], written["Version"]) == (ME, f"states/{KEY}", "1.11.4")
    assert str(os.getpid()) in written["Info"]
    held.release()
    assert list(s3.folder.glob("*tflock")) == []


def test_aws_keeps_one_of_two_locks(lock, moto_aws, dev, fast_clock):
    s3 = dev.client("s3")
    s3.create_bucket(Bucket="states")
    s3.put_bucket_versioning(Bucket="states", VersioningConfiguration={"Status": "Enabled"})
    held = lock(s3).acquire()
    with pytest.raises(OperatorError, match="foundation is locked by"):
        lock(s3).acquire()
    held.release()
    lock(s3).acquire().release()
    assert "Contents" not in s3.list_objects_v2(Bucket="states")


def test_a_lock_that_was_released_during_the_wait_is_taken(lock, s3, monkeypatch, fast_clock):
    held = lock().acquire()
    monkeypatch.setattr(locks.waiting.time, "sleep", lambda _: held.release())
    lock().acquire()
    assert lock.texts[0].startswith(f"foundation is locked by {ME} with `")
    assert len(lock.texts) == 1


def test_a_conflict_of_concurrent_writes_is_tried_again(lock, s3, fast_clock):
    s3.refuses = ["ConditionalRequestConflict", "OperationAborted"]
    assert lock().acquire().lock.id


def test_a_lock_whose_first_request_lost_its_answer_is_ours(lock, s3, monkeypatch):
    put = s3.put_object

    def repeated(**request):
        put(**request)
        return put(**request)

    monkeypatch.setattr(s3, "put_object", repeated)
    assert lock().acquire().lock.id


def test_a_refused_request_is_reported(lock, s3):
    s3.refuses = ["AccessDenied"]
    with pytest.raises(ClientError, match="AccessDenied"):
        lock().acquire()


# ---- owners ----


def test_the_lock_of_a_dead_command_is_taken_over(lock, s3, tmp_path):
    s3.put_object(Bucket="states", Key=LOCK, Body=info(dead(tmp_path)))
    held = lock().acquire()
    assert held.lock.id != "4711"
    (text,) = lock.texts
    assert text.startswith(
        f"taking over the state lock of foundation from {ME} with `./inv deploy` (process "
    )
    assert "which has ended" in text


def test_a_command_that_was_killed_is_dead(lock, s3, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    killed = owner(tmp_path, process=process.pid, started=processes.started(process.pid))
    assert killed.liveness() == "running"
    process.kill()
    process.wait()
    assert killed.liveness() == "ended"


def test_a_zombie_is_dead(until):
    process = subprocess.Popen(["true"])
    until(lambda: not processes.started(process.pid))
    process.wait()


def test_terraform_of_a_dead_command_finishes_first(lock, s3, tmp_path, monkeypatch, fast_clock):
    s3.put_object(Bucket="states", Key=LOCK, Body=info(dead(tmp_path)))
    with open(tmp_path / "other.jsonl", "w", encoding="utf-8") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        monkeypatch.setattr(locks.waiting.time, "sleep", lambda _: fcntl.flock(log, fcntl.LOCK_UN))
        lock().acquire()
    assert lock.texts[0].startswith(
        "waiting for the Terraform of `./inv deploy`, which was killed, to finish"
    )


def test_terraform_of_a_dead_command_is_not_waited_for_without_end(lock, s3, tmp_path, fast_clock):
    s3.put_object(Bucket="states", Key=LOCK, Body=info(dead(tmp_path)))
    with open(tmp_path / "other.jsonl", "w", encoding="utf-8") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        with pytest.raises(OperatorError, match="which was killed, still works on foundation"):
            lock().acquire()
    assert len(list(s3.folder.glob("*tflock"))) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "running"),
        ({"started": "long ago"}, "ended"),
        ({"boot": "earlier pid:[1]"}, "ended"),
        ({"boot": "earlier pid:[1]", "machine": ""}, "unknown"),
        ({"boot": "earlier pid:[1]", "machine": "another"}, "unknown"),
        ({"boot": f"{processes.boot().partition(' ')[0]} pid:[1]"}, "unknown"),
    ],
    ids=["alive", "reused ID", "rebooted", "no machine ID", "another machine", "another container"],
)
def test_only_a_process_of_this_machine_is_known(tmp_path, monkeypatch, changes, expected):
    monkeypatch.setattr(lock_owner, "_machine", lambda: "this one")
    assert owner(tmp_path, **changes).liveness() == expected


@pytest.mark.parametrize("who", ["colleague@elsewhere", f"colleague@{ME.partition('@')[2]}", f"{ME}2"])
def test_the_lock_of_another_user_or_machine_is_kept(lock, s3, tmp_path, fast_clock, who):
    s3.put_object(Bucket="states", Key=LOCK, Body=info(dead(tmp_path), Who=who))
    with pytest.raises(OperatorError) as refused:
        lock().acquire()
    assert str(refused.value).startswith(f"Stack foundation is locked by {who} with `./inv deploy` (process ")
    assert "./inv unlock" in str(refused.value)
    assert 60 <= sum(fast_clock) < 65
    assert lock.texts[0].endswith("; waiting 60 s")
    assert json.load(s3.get_object(Bucket="states", Key=LOCK)["Body"])["ID"] == "4711"


def test_a_running_command_of_this_user_is_named_at_once(lock, s3, tmp_path, fast_clock):
    s3.put_object(Bucket="states", Key=LOCK, Body=info(owner(tmp_path)))
    with pytest.raises(
        OperatorError, match=r"which still runs.*Wait until it has ended or stop it"
    ) as refused:
        lock().acquire()
    assert "./inv unlock" not in str(refused.value)
    assert f"process {os.getpid()}, which still runs" in lock.texts[0]


def test_the_lock_of_a_plain_terraform_is_kept(lock, s3, fast_clock):
    s3.put_object(Bucket="states", Key=LOCK, Body=info())
    with pytest.raises(OperatorError, match=r"locked by \S+ with Terraform \(apply\), since .*\./inv unlock"):
        lock().acquire()


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[]", b'{"Who": "x"}', b"\xff\x00"])
def test_an_object_that_is_no_lock_is_kept_and_named(lock, s3, fast_clock, body):
    s3.put_object(Bucket="states", Key=LOCK, Body=body)
    sentence = rf"not a lock of Terraform.*\./inv unlock --force removes s3://states/{LOCK}"
    with pytest.raises(OperatorError, match=sentence):
        lock().acquire()


# ---- a lock that is lost ----


def test_a_lock_that_was_lost_is_noticed_and_that_of_its_new_owner_is_kept(lock, s3, tmp_path):
    held = lock().acquire()
    held.verify()
    s3.put_object(Bucket="states", Key=LOCK, Body=info(owner(tmp_path)))
    with pytest.raises(OperatorError, match=r"was released while this command held it.*now held by"):
        held.verify()
    held.release()
    assert lock.texts == ["the state lock of foundation was released by somebody else in the meantime"]
    assert json.load(s3.get_object(Bucket="states", Key=LOCK)["Body"])["ID"] == "4711"


def test_a_failing_release_does_not_hide_the_error_of_the_command(lock, s3, monkeypatch):
    held = lock().acquire()

    def unreachable(**_):
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    monkeypatch.setattr(s3, "get_object", unreachable)
    held.release()
    assert "could not be released" in lock.texts[0]
    assert "your next command takes it over" in lock.texts[0]


# ---- a stack and its lock ----


def test_up_holds_one_lock_from_plan_to_apply(stack, fake_terraform, s3, monkeypatch):
    planned = {"type": "planned_change", "change": {"action": "create", "resource": {"addr": "a.b"}}}
    fake_terraform.does("plan", {"lines": [planned]})
    ids = []
    run = type(stack().commands).run

    def recording(self, command, *arguments, **options):
        if command != "init":
            ids.append(json.load(s3.get_object(Bucket="states", Key=LOCK)["Body"])["ID"])
        return run(self, command, *arguments, **options)

    monkeypatch.setattr(type(stack().commands), "run", recording)
    stack().up()
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert list(s3.folder.iterdir()) == []


def test_the_lock_is_released_after_a_failure(stack, fake_terraform, s3):
    fake_terraform.does("plan", {"rc": 1})
    with pytest.raises(OperatorError, match="plan of foundation failed"):
        stack().up()
    assert list(s3.folder.iterdir()) == []


def test_nothing_is_applied_after_the_lock_was_lost(stack, fake_terraform, s3):
    made = stack()
    with made.locked():
        plan = made.plan()
        for file in s3.folder.iterdir():
            file.unlink()
        with pytest.raises(OperatorError, match="was released while this command held it, and is gone"):
            made.apply(plan)
    assert fake_terraform.calls("apply") == []


def test_a_plan_that_is_only_read_needs_no_lock(stack, fake_terraform, s3, tmp_path):
    s3.put_object(Bucket="states", Key=LOCK, Body=info(owner(tmp_path)))
    assert stack().plan(lock=False).changes == ()


def test_the_messages_name_the_endpoint_of_a_serving_stack(stack, s3, tmp_path, fast_clock):
    s3.put_object(Bucket="states", Key="test/serving/cats.tfstate.tflock", Body=info(owner(tmp_path)))
    with (
        pytest.raises(OperatorError, match=r"^Stack serving/cats is locked by"),
        stack(key="test/serving/cats.tfstate").locked(),
    ):
        pass


def test_locks_use_the_operator_s_s3(moto_aws, dev: Environment, monkeypatch, tmp_path, fake_terraform):
    from ops.terraform import stacks

    monkeypatch.setattr("ops.terraform.stack.WORK", tmp_path)
    s3 = dev.client("s3")
    with stacks.foundation(dev, console.quiet).locked():
        listed = s3.list_objects_v2(Bucket=dev.state_bucket)["Contents"]
        assert [item["Key"] for item in listed] == ["dev/foundation.tfstate.tflock"]
