"""The request that creates a data job, as the SDK sends it, and the names and answers of jobs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ml.jobs import job_inputs, repository
from ml.jobs.data.stage import Result
from ml.jobs.processing import job, submission
from ml.jobs.processing.documents import Answer, Options, Request
from ops import packaging
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.outputs import Network
from ops.settings import Settings
from tests.conftest import BUCKET
from tests.environments import with_clients, with_settings

SOURCE = f"s3://{BUCKET}/sources/pets"
NAMES = f"image-classifier-dev-data-{job_inputs.fingerprint(source=SOURCE + '/')[:7]}"
RESULT = Result(
    dataset="pets",
    hash="h",
    classes=2,
    counts={"train": 4, "valid": 2, "test": 2},
    sent=8,
    unchanged=0,
    deleted=0,
    shards=0,
    near_duplicates=0,
    left_out=[],
    converted={},
    remarks=[],
)


class Processing:
    """A fake SageMaker whose jobs end as their answers say."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.ends_as: dict[str, Any] = {"ProcessingJobStatus": "Completed"}

    def add(self, name: str, **members: Any) -> None:
        began = datetime(2026, 12, 1, tzinfo=timezone.utc)
        self.jobs[name] = {
            "ProcessingJobName": name,
            "ProcessingJobStatus": "Completed",
            "ProcessingStartTime": began,
            "ProcessingEndTime": began + timedelta(minutes=30),
            "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.xlarge"}},
            **members,
        }

    def describe_processing_job(self, ProcessingJobName: str) -> dict[str, Any]:
        return {**self.jobs[ProcessingJobName], **self.ends_as}

    def get_paginator(self, operation: str) -> Processing:
        assert operation == "list_processing_jobs"
        return self

    def paginate(self, NameContains: str, StatusEquals: str = "") -> list[dict[str, Any]]:
        found = [j for name, j in self.jobs.items() if NameContains in name]
        return [
            {"ProcessingJobSummaries": [j for j in found if StatusEquals in ("", j["ProcessingJobStatus"])]}
        ]


@pytest.fixture
def sagemaker() -> Processing:
    return Processing()


@pytest.fixture
def env(account, dev: Environment, sagemaker: Processing, monkeypatch, tmp_path) -> Environment:
    """Environment dev with the fake SageMaker, and a repository of one file."""
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository/inv").write_text("program")
    monkeypatch.setattr(repository, "ROOT", tmp_path / "repository")
    monkeypatch.setattr(repository, "WORK", tmp_path / "work")
    monkeypatch.setattr(packaging, "_tracked", lambda root: None)

    class Sdk:
        class ProcessingJob:
            @staticmethod
            def create(session: Any, region: str, **request: Any) -> None:
                sagemaker.requests.append(request)
                sagemaker.add(request["processing_job_name"])

    monkeypatch.setattr(submission, "sdk", lambda: Sdk)
    return with_clients(dev, sagemaker=sagemaker)


def _quiet(text: str, important: bool = False) -> None:
    pass


def _answer(env: Environment, name: str, answer: Answer) -> None:
    env.client("s3").put_object(
        Bucket=BUCKET, Key=f"results/data/{name}.json", Body=answer.model_dump_json().encode()
    )


def _inputs(request: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        one["input_name"]: (one["s3_input"]["local_path"], one["s3_input"]["s3_uri"])
        for one in request["processing_inputs"]
    }


def test_the_request_is_encrypted_tagged_limited_and_of_its_own_role(
    env: Environment, sagemaker: Processing, foundation
) -> None:
    submission.submit(env, "image-classifier-dev-data-1", Options(source=SOURCE, split="70/15/15"), _quiet)
    (request,) = sagemaker.requests
    assert request["role_arn"] == foundation.processing_role_arn
    assert request["processing_resources"]["cluster_config"] == {
        "instance_type": "ml.m5.xlarge",
        "instance_count": 1,
        "volume_size_in_gb": 100,
        "volume_kms_key_id": foundation.kms_key_arn,
    }
    assert request["stopping_condition"] == {"max_runtime_in_seconds": 21600}
    assert request["network_config"] == {"enable_network_isolation": False}
    assert request["app_specification"]["image_uri"].endswith("/pytorch:2.13-cpu-amzn2023-sagemaker")
    assert request["environment"] == {"OPTIONS": "--split 70/15/15"}
    assert {"key": "Environment", "value": "dev"} in request["tags"]
    inputs = _inputs(request)
    assert inputs["source"] == ("/opt/ml/processing/input/source/pets", f"{SOURCE}/")
    assert request["app_specification"]["container_entrypoint"][1] == f"{inputs['job'][0]}/start.py"
    folder = inputs["job"][1].removeprefix(f"s3://{BUCKET}/")
    stored = env.client("s3").get_object(Bucket=BUCKET, Key=f"{folder}job.json")["Body"].read()
    asked = Request.model_validate_json(stored)
    assert asked.options == Options(source=SOURCE, split="70/15/15")
    assert Settings(**asked.settings).data == env.settings.data


def test_an_archive_lands_in_the_folder_of_the_input_and_a_known_name_is_no_input(
    env: Environment, sagemaker: Processing
) -> None:
    submission.submit(env, "one", Options(source=f"{SOURCE}.zip"), _quiet)
    submission.submit(env, "two", Options(source="sample"), _quiet)
    archive, sample = map(_inputs, sagemaker.requests)
    assert archive["source"] == ("/opt/ml/processing/input/source", f"{SOURCE}.zip")
    assert set(sample) == {"code", "job"} and sample["code"] == archive["code"]


def test_in_a_private_network_the_job_runs_there_and_brings_its_packages(
    env: Environment, sagemaker: Processing, account, foundation, monkeypatch, tmp_path
) -> None:
    network = Network(subnet_ids=["subnet-1"], training_security_group_ids=["sg-1"])
    account.publish("foundation", foundation.model_copy(update={"network": network}).model_dump())
    (tmp_path / "wheels").mkdir()
    asked = []
    monkeypatch.setattr(
        submission.wheels, "folder", lambda kind, _: asked.append(kind) or tmp_path / "wheels"
    )
    submission.submit(env, "one", Options(source="sample"), _quiet)
    assert sagemaker.requests[0]["network_config"]["vpc_config"] == {
        "subnets": ["subnet-1"],
        "security_group_ids": ["sg-1"],
    }
    assert asked == ["processing"]


def test_a_type_with_local_storage_has_no_volume_key(env: Environment, sagemaker: Processing) -> None:
    changed = job.with_instance_type(env, "ml.m5d.xlarge")
    submission.submit(with_clients(changed, sagemaker=sagemaker), "one", Options(source="sample"), _quiet)
    assert "volume_kms_key_id" not in sagemaker.requests[0]["processing_resources"]["cluster_config"]


def test_a_job_is_named_after_its_source_and_number_and_its_answer_is_the_result(
    env: Environment, sagemaker: Processing
) -> None:
    names, started = [], []
    sagemaker.add(f"{NAMES}-1-other")
    for number in (1, 2):

        def before_start(number: int = number) -> None:
            started.append(number)
            name = f"{NAMES}-{number}"
            _answer(env, name, Answer(result=RESULT))

        found = job.run(env, Options(source=SOURCE), on_status=_quiet, before_start=before_start)
        names.append(found.name)
        assert (found.result, found.seconds, found.usd) == (RESULT, 1800, 0.115)
    assert names == [f"{NAMES}-1", f"{NAMES}-2"] and started == [1, 2]


def test_a_running_job_of_the_source_is_followed_with_the_same_options_only(
    env: Environment, sagemaker: Processing
) -> None:
    name = f"{NAMES}-7"
    sagemaker.add(name, ProcessingJobStatus="InProgress", Environment={"OPTIONS": "--skip-bad"})
    _answer(env, name, Answer(result=RESULT))
    assert job.run(env, Options(source=SOURCE, skip_bad=True), on_status=_quiet).name == name
    assert sagemaker.requests == []
    with pytest.raises(
        Refused, match=rf"{name} reads this source already, with other options \(--skip-bad\)"
    ):
        job.run(env, Options(source=SOURCE), on_status=_quiet)


@pytest.mark.parametrize(
    ("ends_as", "answer", "sentence"),
    [
        ({"ProcessingJobStatus": "Failed"}, Answer(failure="2 problem(s)."), "failed: 2 problem(s)."),
        (
            {"ProcessingJobStatus": "Failed", "ExitMessage": "no packages"},
            None,
            "ended as Failed: no packages. Its whole log is in /aws/sagemaker/ProcessingJobs",
        ),
        (
            {"ProcessingJobStatus": "Failed", "FailureReason": "ClientError: No S3 objects found"},
            None,
            "ended as Failed: ClientError: No S3 objects found.",
        ),
        ({"ProcessingJobStatus": "Stopped"}, None, "data.processing.max_runtime_seconds, 21600 s."),
        (
            {"ProcessingJobStatus": "Completed"},
            None,
            "is gone: run ./inv data --env dev --on sagemaker again",
        ),
    ],
)
def test_a_job_without_a_result_gives_its_reason(
    env: Environment,
    sagemaker: Processing,
    ends_as: dict[str, Any],
    answer: Answer | None,
    sentence: str,
) -> None:
    sagemaker.ends_as = ends_as
    name = f"{NAMES}-1"
    if answer:
        _answer(env, name, answer)
    with pytest.raises(OperatorError) as failed:
        job.run(env, Options(source=SOURCE), on_status=_quiet)
    assert sentence in str(failed.value) and name in str(failed.value)


def test_the_settings_of_another_data_section_reach_the_job(env: Environment) -> None:
    changed = with_settings(env, data={"shards": "always"})
    found = json.loads(json.dumps(submission.settings_for_job(changed.settings)))
    assert Settings(**found).data.shards == "always"
