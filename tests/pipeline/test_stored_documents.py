"""Whatever a stored document holds, its reader returns a value or raises an OperatorError that names it.

Damaged, foreign, truncated and older documents in S3, SSM, the state bucket, Lambda's answers and local files.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.jobs import data, predictions, registry, search
from ml.jobs.data import download, sources
from ml.jobs.launchers import jobs_in_s3
from ml.runner.job import Status
from ops.documents import UnreadableDocument
from ops.environment import Environment
from ops.errors import OperatorError
from ops.outputs import Serving
from ops.permissions import record
from ops.terraform import saved_plans, stacks
from pipeline.report import comparison
from tests.environments import with_clients
from tests.ops.test_outputs import KEPT, WORKBENCH

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PREDICTIONS = {"predictions": [{"label": "cat", "probability": 0.5}]}
RESULT = search.SearchResult(
    tuning_job="t",
    model={"architecture": "small_cnn"},
    data_hash="h",
    dataset="sample",
    best_training_job="b",
    best_objective=0.5,
    hyperparameters={"learning-rate": "0.1"},
)
PLAN = saved_plans.Manifest(
    environment="dev", commit="c", sources="s", endpoint=None, model=None, stacks={}, not_planned={}
)
DECISION = {
    **{name: "x" for name in ("principal", "session", "action", "resource", "reason")},
    **{"time": 1.0, "context": {"aws:x": ["y"]}, "allowed": True, "statements": ["a"]},
}


class Stored:
    """S3, SSM and Lambda with the given contents, by key, parameter or "function"."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.contents:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject")
        return {"Body": io.BytesIO(self.contents[Key])}

    def list_objects_v2(self, **_: Any) -> dict[str, Any]:
        return {"KeyCount": 0}

    def get_parameter(self, Name: str) -> dict[str, Any]:
        return {"Parameter": {"Value": self.contents[Name].decode(errors="replace")}}

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012"}

    def invoke(self, **_: Any) -> dict[str, Any]:
        return {"Payload": io.BytesIO(self.contents["function"])}


@dataclass
class Reader:
    """A reader of a document.

    place: of the document, as its error names it; what `Stored` has it under ends it.
    good: a valid document.
    read: reads it.
    """

    place: str
    good: Any
    read: Callable[[Environment], Any]
    others: dict[str, bytes]

    def __call__(self, env: Environment, content: bytes) -> Any:
        key = self.place.removeprefix("s3://")
        stored = Stored({**self.others, key: content})
        fake = with_clients(env, s3=stored, ssm=stored, lambda_=stored, sts=stored)
        return self.read(fake)


def reader(place: str, good: Any, read: Callable[[Environment], Any], **others: bytes) -> Any:
    return pytest.param(Reader(place, good, read, others), id=place)


MANIFEST = data.Manifest("sample", {"train/a/1.png": data.ImageEntry("00", 1, "e")})
MANIFEST_KEY = "datasets/sample/manifest.json"
POINTER = {"dataset": "sample", "manifest_key": MANIFEST_KEY, "hash": MANIFEST.hash}
FOUNDATION = {
    name: "x"
    for name in (
        *(
            "account_id",
            "bucket",
            "kms_key_arn",
            "training_role_arn",
            "processing_role_arn",
            "tuning_role_arn",
            "endpoint_role_arn",
        ),
        *("model_package_group_name", "model_package_group_arn", "ec2_log_group"),
    )
}
ENDPOINT = "image-classifier-dev"


def read_function(env: Environment) -> Any:
    serving = Serving.model_construct(function_name="f", function_alias="live", endpoint_name="e")
    return predictions.invoke(env, serving, {})["predictions"][0]["label"]


def read_data(env: Environment) -> Any:
    found = data.current(env)
    return found.counts, found.classes, found.hash


READERS = [
    reader("datasets/current.json", POINTER, read_data, **{MANIFEST_KEY: MANIFEST.to_json().encode()}),
    reader(
        MANIFEST_KEY,
        json.loads(MANIFEST.to_json()),
        read_data,
        **{"datasets/current.json": json.dumps(POINTER).encode()},
    ),
    reader("results/tuning.json", RESULT.model_dump(), search.find_result),
    reader(
        "training/job/status.json",
        json.loads(Status().to_json()),
        lambda env: jobs_in_s3.read_status(env, "job"),
    ),
    reader(
        "dev/foundation.tfstate",
        {"version": 4, "lineage": "l", "resources": [{"type": "x"}]},
        lambda env: stacks.resources(env, "foundation"),
    ),
    reader("/image-classifier/dev/foundation", FOUNDATION, lambda env: env.outputs.foundation),
    reader("/image-classifier/dev/workbench", WORKBENCH, lambda env: env.outputs.workbench()),
    reader(
        f"/image-classifier/dev/endpoint_history/{ENDPOINT}",
        KEPT,
        lambda env: env.outputs.kept_configurations(ENDPOINT)[:1],
    ),
    reader("function", {"statusCode": 200, "body": PREDICTIONS}, read_function),
]


def documents(good: Any) -> st.SearchStrategy[bytes]:
    """Return a strategy of damaged, foreign, truncated and older documents, and of good ones."""
    text = json.dumps(good).encode()
    mutated = st.deferred(
        lambda: st.builds(_with, st.just(good), st.integers(0, 50), JSON | st.just(_LEFT_OUT))
    )
    return (
        st.binary(max_size=40)
        | st.integers(0, len(text)).map(lambda length: text[:length])
        | JSON.map(lambda value: json.dumps(value).encode())
        | mutated.map(lambda value: json.dumps(value).encode())
        | st.sampled_from(
            [text, b"[" * 100_000, b'{"a":' * 5_000, b"", b"null", b"NaN", b'"\\ud800"', b"9" * 9_999]
        )
    )


_LEFT_OUT = object()


def _with(value: Any, index: int, new: Any) -> Any:
    """Return a document with one of its values replaced or left out, at any depth."""
    if isinstance(value, dict) and value:
        name = sorted(value)[index % len(value)]
        inner = value[name]
        if index % 2 and isinstance(inner, (dict, list)) and inner:
            return {**value, name: _with(inner, index // 2, new)}
        kept = {other: kept for other, kept in value.items() if other != name}
        return kept if new is _LEFT_OUT else {**kept, name: new}
    if isinstance(value, list) and value:
        return [_with(value[0], index, new), *value[1:]]
    return None if new is _LEFT_OUT else new


FUZZED = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("target", READERS)
def test_a_document_is_read_or_its_error_names_it_and_a_command(target, dev):
    @FUZZED
    @given(documents(target.good))
    def check(content: bytes) -> None:
        try:
            target(dev, content)
        except OperatorError as error:
            name = "f" if target.place == "function" else target.place
            assert name in str(error) or MANIFEST_KEY in str(error) or "upload" in str(error)
            assert "./inv" in str(error) or "aws s3 rm" in str(error)

    check()


@pytest.mark.parametrize("target", READERS)
def test_a_good_document_is_read_and_an_older_one_refused(target, dev):
    assert target(dev, json.dumps(target.good).encode())
    if target.place != "training/job/status.json":  # every field of it has a default
        with pytest.raises(UnreadableDocument, match="damaged, or of another version"):
            target(dev, b"{}")
    with pytest.raises(UnreadableDocument, match="it is not JSON"):
        target(dev, b"\x00\xff")


@FUZZED
@given(content=documents(PLAN.model_dump()))
def test_the_manifest_of_a_saved_plan(content, tmp_path_factory, dev):
    folder = tmp_path_factory.getbasetemp() / "plan"
    folder.mkdir(exist_ok=True)
    (folder / saved_plans.MANIFEST).write_bytes(content)
    with pytest.raises(OperatorError, match=r"\./inv plan"):  # a good one is of other sources
        saved_plans.load(folder, dev.settings)


@FUZZED
@given(content=documents(DECISION))
def test_the_record_of_decisions(content, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "decisions.jsonl"
    path.write_bytes(content)
    try:
        record.read(path)
    except OperatorError as error:
        assert str(path) in str(error)


@FUZZED
@given(content=documents({"file": "x", "size": 1}))
def test_marks_of_downloads_are_made_again(content, tmp_path_factory):
    mark = tmp_path_factory.getbasetemp() / "mark"
    mark.write_bytes(content)
    sources._read(mark)
    tag = download._tag(mark)
    assert tag is None or "\n" not in tag


@FUZZED
@given(
    lineage=st.dictionaries(
        st.sampled_from(["training_seconds", "billable_seconds", "launcher", "spot", "instance_type", "x"]),
        st.sampled_from(["1.5", "", "nan", "inf", "true", "ec2", "ml.m5.large"]) | st.text(max_size=5),
    )
)
def test_metadata_of_a_foreign_model_version(lineage):
    row = comparison._row(registry.Version(1, "arn", "Approved", None, lineage))  # type: ignore[arg-type]
    if row:
        assert comparison.cells([row])


def test_every_json_that_is_read_is_decoded_in_one_place():
    """json.loads is for what the process itself has just got from a program, and for caches that are made again."""
    root = Path(__file__).parents[2]
    found = {
        str(path.relative_to(root))
        for folder in ("pipeline", "ml/jobs", "ops")
        for path in (root / folder).rglob("*.py")
        if not {"bench", "checks", "faults"} & set(path.parts)  # they read what programs print
        and any(call in path.read_text() for call in ("json.load", "validate_json", "validate_python"))
    }
    assert found <= {
        "ml/jobs/data/download.py",
        "ml/jobs/data/sources.py",
        "ml/jobs/tracking.py",  # the reason of any failure is reported
        "ops/documents.py",
        "ops/plan_report/markdown.py",
        "ops/plan_report/permissions.py",
        "ops/terraform/adoption/functions.py",
        "ops/terraform/adoption/state.py",  # just written by Terraform
        "ops/terraform/binary.py",
        "ops/terraform/commands.py",
        "ops/terraform/errored_state.py",  # anything else is set aside
        "ops/terraform/events.py",
        "ops/terraform/lock_owner.py",  # anything else is another program's lock
        "ops/terraform/locks.py",
        "ops/terraform/state_bucket.py",
    }
