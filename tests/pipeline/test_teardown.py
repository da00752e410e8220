"""Nothing is removed before all locks are held and all plans are made; data and models go last; what is kept stays."""

import pytest

from ml.jobs import running
from ops import bucket, console
from ops.bucket import Contents
from ops.errors import OperatorError
from ops.terraform import stacks, state_bucket
from pipeline import cleanup, leftovers, removal, teardown
from pipeline.leftovers import Leftover
from pipeline.workbench import workbench
from tests.environments import with_settings
from tests.pipeline.teardown_kit import KEY, ROLE, STATES, Account, FakeStack

pytestmark = pytest.mark.usefixtures("moto_aws")

MODELS = ["arn:1", "arn:2"]
ORDER = ["training_host", "workbench", "serving/image-classifier-dev", "foundation"]


@pytest.fixture
def account(dev, monkeypatch) -> Account:
    """Environment dev with all stacks, three object versions, two model versions and a running job."""
    account, bucket = Account(dev), state_bucket.ensure(dev)
    models = list(MODELS)
    for name, resources in STATES.items():
        FakeStack(account, name, bucket).write(resources)
    s3 = dev.client("s3")
    s3.create_bucket(Bucket=dev.data_bucket)
    s3.put_bucket_versioning(Bucket=dev.data_bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("datasets/a", "datasets/a", "training/model.tar.gz"):
        s3.put_object(Bucket=dev.data_bucket, Key=key, Body=b"123")

    def stop(env, progress):
        account.happens("stop", "jobs")
        return ["job"]

    def delete_models(env, progress):
        account.happens("delete", "models")
        models.clear()
        return len(MODELS)

    for kind in ("foundation", "training_host", "workbench"):
        monkeypatch.setattr(stacks, kind, lambda env, step, kind=kind: FakeStack(account, kind, bucket))
    monkeypatch.setattr(
        stacks, "serving", lambda env, name, arn, step: FakeStack(account, f"serving/{name}", bucket)
    )
    monkeypatch.setattr(workbench, "remove", lambda env, step, destroy: destroy())
    monkeypatch.setattr(
        running, "running", lambda env, kind: {"job": "InProgress"} if kind == "training" else {}
    )
    monkeypatch.setattr(running, "stop_all", stop)
    monkeypatch.setattr(cleanup, "model_versions", lambda env: list(models))
    monkeypatch.setattr(
        cleanup, "model_objects", lambda env: frozenset({"training/model.tar.gz"} if models else ())
    )
    monkeypatch.setattr(cleanup, "delete_models", delete_models)
    monkeypatch.setattr(leftovers, "find", lambda env, *_: [])
    return account


def objects(env) -> int:
    return len(env.client("s3").list_object_versions(Bucket=env.data_bucket).get("Versions", []))


def resources(account, name="foundation") -> list[str]:
    return sorted(FakeStack(account, name, account.env.state_bucket).addresses())


def is_untouched(account) -> bool:
    states = all(FakeStack(account, n, account.env.state_bucket).resources() == r for n, r in STATES.items())
    changing = [line for line in account.log if not line.startswith(("lock", "release", "plan"))]
    return states and objects(account.env) == 3 and changing == []


def test_everything_is_removed_with_data_and_models_last(account, dev):
    assert teardown.down(dev) == []
    assert account.log[:8] == [f"lock {name}" for name in ORDER] + [f"plan {name}" for name in ORDER]
    assert account.log[8:] == [
        "plan foundation",  # without what holds data
        "stop jobs",
        "destroy training_host",
        "destroy workbench",
        "destroy serving/image-classifier-dev",
        "destroy foundation",
        "plan foundation",
        "delete models",
        "destroy data of foundation",
        *(f"release {name}" for name in reversed(ORDER)),
    ]
    assert objects(dev) == 0
    assert not state_bucket.exists(dev)


@pytest.mark.parametrize("name", ORDER)
@pytest.mark.parametrize("action", ["lock", "plan"])
def test_nothing_is_removed_if_one_stack_is_locked_or_cannot_be_planned(account, dev, action, name):
    account.failing[action, name] = OperatorError("colleague@host holds it")
    with pytest.raises(OperatorError, match="colleague"):
        teardown.down(dev)
    assert is_untouched(account)
    locked = [line for line in account.log if line.startswith("lock")]
    assert len(locked) == len([line for line in account.log if line.startswith("release")])


def test_nothing_is_removed_if_a_state_is_damaged(account, dev):
    broken = {"Bucket": dev.state_bucket, "Key": "dev/foundation.tfstate"}
    dev.client("s3").put_object(**broken, Body=b'{"resources": [')
    for remove in (teardown.down, lambda env: teardown.destroy(env, ["foundation"])):
        with pytest.raises(OperatorError, match=r"dev/foundation\.tfstate .*list-object-versions"):
            remove(dev)
    assert objects(dev) == 3
    assert account.log == []


def test_a_stack_that_somebody_is_creating_is_locked_as_well(account, dev):
    lock = {"Bucket": dev.state_bucket, "Key": "dev/serving/image-classifier-dev-new.tfstate.tflock"}
    dev.client("s3").put_object(**lock)
    account.failing["lock", "serving/image-classifier-dev-new"] = OperatorError("colleague")
    with pytest.raises(OperatorError, match="colleague"):
        teardown.down(dev)
    assert is_untouched(account)


def test_nothing_is_removed_without_approval(account, dev):
    shown = []

    def refuse(planned):
        shown.extend(planned.rows())
        raise OperatorError("no")

    for remove in (teardown.down, lambda env, approve: teardown.destroy(env, ["serving"], approve=approve)):
        with pytest.raises(OperatorError, match="no"):
            remove(dev, approve=refuse)
    assert is_untouched(account)
    assert shown[:11] == [
        ("endpoints", "1"),
        ("functions", "1"),
        ("training hosts", "1"),
        ("Studio domains", "1"),
        ("buckets", "1"),
        ("encryption keys", "1"),
        ("roles", "1"),
        ("other resources", "4"),
        ("running jobs", "1"),
        ("model versions", "2"),
        ("object versions", "3"),
    ]


@pytest.mark.parametrize("name", ORDER)
@pytest.mark.parametrize("error", [OperatorError("AccessDenied"), KeyboardInterrupt()])
def test_a_failure_before_the_end_leaves_data_and_models_and_is_resumed(account, dev, name, error):
    account.failing["destroy", name] = error
    with pytest.raises(type(error)):
        teardown.down(dev)
    assert objects(dev) == 3
    assert "delete models" not in account.log
    assert {KEY, "module.storage.aws_s3_bucket.this"} <= set(resources(account))
    account.failing.clear()
    teardown.down(dev)
    assert not state_bucket.exists(dev)


@pytest.mark.parametrize("step", [("delete", "models"), ("destroy data of", "foundation")])
def test_a_failure_at_the_end_is_resumed(account, dev, step):
    account.failing[step] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        teardown.down(dev)
    assert state_bucket.exists(dev)
    account.failing.clear()
    teardown.down(dev)
    assert not state_bucket.exists(dev)


KEPT_WITH_DATA = [KEY, "module.storage.aws_s3_bucket.this", ROLE]
GROUP = "aws_sagemaker_model_package_group.this"


@pytest.mark.parametrize(
    ("keep", "left", "versions", "deletes_models"),
    [
        ("data", KEPT_WITH_DATA, 3, True),
        ("models", [GROUP, *KEPT_WITH_DATA], 1, False),
        ("data,models", [GROUP, *KEPT_WITH_DATA], 3, False),
    ],
)
def test_what_is_kept_stays_and_a_later_teardown_removes_it(
    account, dev, monkeypatch, keep, left, versions, deletes_models
):
    said: list[str] = []
    monkeypatch.setattr(console, "say", lambda text: said.append(text))
    kept = removal.parse_keep(keep)
    rows = []
    assert teardown.down(dev, kept, lambda planned: rows.extend(planned.rows())) == sorted(kept)
    assert resources(account) == sorted(left)
    assert objects(dev) == versions
    assert ("delete models" in account.log) == deletes_models
    assert {"buckets", "encryption keys", "roles"}.isdisjoint(dict(rows))
    assert ("object versions" in dict(rows)) == (keep == "models")
    assert f"the bucket with {versions} object versions (0.0 MB, about 0.00 USD a month)" in said[0]
    assert "its key (1.00 USD a month)" in said[0]
    for name in ORDER[:-1]:
        assert resources(account, name) == []
    assert teardown.down(dev, kept) == sorted(kept)  # again: nothing changes
    assert resources(account) == sorted(left)
    assert teardown.down(dev) == []
    assert not state_bucket.exists(dev)
    assert objects(dev) == 0


@pytest.mark.parametrize("text", ["date", "data,keys", "", ",", "data models"])
def test_other_things_cannot_be_kept(text):
    with pytest.raises(OperatorError, match=r"--keep .*: choose data, models, or data,models\.$"):
        removal.parse_keep(text)


def test_protected_data_can_be_kept(account, dev):
    protected = with_settings(dev, storage={"force_destroy": False})
    for keep in ("models", "data"):
        if keep == "models":
            with pytest.raises(OperatorError, match="holds data and models"):
                teardown.down(protected, frozenset({keep}))
            assert is_untouched(account)
        else:
            assert teardown.down(protected, frozenset({keep})) == ["data"]
            assert objects(dev) == 3


def test_leftovers_keep_the_states(account, dev, monkeypatch):
    queue = Leftover("queue", "image-classifier-dev-x")
    monkeypatch.setattr(leftovers, "find", lambda env, *_: [queue])
    with pytest.raises(OperatorError, match="1 resources are left"):
        teardown.down(dev)
    assert state_bucket.exists(dev)


def test_what_is_kept_is_no_leftover(account, dev, monkeypatch):
    monkeypatch.setattr(leftovers, "find", lambda env, *_: [Leftover("bucket", "b")])
    teardown.down(dev, frozenset({"data"}))
    with pytest.raises(OperatorError, match="1 resources are left"):
        teardown.down(dev)


def test_the_foundation_is_destroyed_with_the_same_protection(account, dev):
    with pytest.raises(OperatorError, match="still used by"):
        teardown.destroy(dev, ["foundation"])
    for name in ORDER[:-1]:
        FakeStack(account, name, dev.state_bucket).write([])
    account.failing["destroy", "foundation"] = OperatorError("AccessDenied")
    with pytest.raises(OperatorError, match="AccessDenied"):
        teardown.destroy(dev, ["foundation"])
    assert objects(dev) == 3
    account.failing.clear()
    account.log.clear()
    removed = teardown.destroy(dev, ["foundation"])
    assert len(removed["foundation"]) == len(STATES["foundation"])
    assert account.log.index("delete models") > account.log.index("destroy foundation")
    assert objects(dev) == 0


def test_one_endpoint_is_destroyed_without_data(account, dev):
    removed = teardown.destroy(dev, ["serving"])
    assert [len(addresses) for addresses in removed.values()] == [2]
    assert account.log == [
        f"{action} serving/image-classifier-dev" for action in ("lock", "plan", "destroy", "release")
    ]
    assert objects(dev) == 3


def test_without_a_state_nothing_is_destroyed(dev):
    assert teardown.destroy(dev) == {"serving": [], "foundation": []}
    assert not state_bucket.exists(dev)


def test_a_foundation_without_data_is_destroyed_at_once(account, dev, monkeypatch):
    monkeypatch.setattr(cleanup, "model_versions", lambda env: [])
    cleanup.bucket.empty(dev, dev.data_bucket)
    teardown.down(dev)
    assert account.log.count("plan foundation") == 1
    assert not state_bucket.exists(dev)


def test_without_a_state_nothing_is_locked_and_data_is_not_deleted(account, dev):
    cleanup.delete_states(dev)
    cleanup.delete_state_bucket(dev)
    teardown.down(dev)
    assert account.log == ["stop jobs"]
    assert objects(dev) == 3


def test_counts_say_when_they_are_lower_limits():
    planned = removal.Removal(contents=Contents(1_000_000, 2_500_000_000, complete=False))
    assert planned.rows() == [
        ("object versions", "more than 1,000,000"),
        ("size of the objects", "more than 2.5 GB"),
    ]


def test_the_sweep_removes_what_it_shows_at_once(account, dev, monkeypatch):
    ours, foreign = (
        Leftover("queue", name, "us-east-1", f"arn:{name}", 0.0, managed)
        for name, managed in (("ours", True), ("mine", False))
    )
    exists, asked = [ours, foreign], []

    def remove(env, found, progress):
        for item in found:
            exists.remove(item)
        return []

    monkeypatch.setattr(leftovers, "find", lambda env, *rest: [] if len(rest) > 1 else list(exists))
    monkeypatch.setattr(leftovers, "remove", remove)
    monkeypatch.setattr(leftovers, "look_again", list)

    def refuse(found):
        raise OperatorError("not this name")

    with pytest.raises(OperatorError, match="not this name"):
        teardown.down(dev, approve_sweep=refuse)
    assert exists == [ours, foreign]
    with pytest.raises(OperatorError, match=r"1 resources are left .* --sweep deletes them"):
        teardown.down(dev)
    assert exists == [foreign]
    teardown.down(dev, approve_sweep=asked.extend)
    assert (exists, asked) == ([], [foreign])


def test_a_lost_state_refuses_to_keep_a_part(account, dev, monkeypatch):
    bucket.empty(dev, dev.state_bucket)
    found = Leftover("bucket", dev.data_bucket, managed=True)
    monkeypatch.setattr(leftovers, "find", lambda env, *_: [found])
    with pytest.raises(OperatorError, match="state of dev is lost"):
        teardown.down(dev, frozenset({"data"}))
    assert objects(dev) == 3
