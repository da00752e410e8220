"""The data job end to end: on the embedded AWS, with the roles and the key policy of the foundation."""

from __future__ import annotations

import json
import socket
import threading
import uuid
from pathlib import Path
from string import Template
from types import SimpleNamespace
from typing import Any

import pytest

from ml.jobs import data, running
from ml.jobs.processing import job
from ops import sessions, settings
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.outputs import parameter
from ops.paths import ROOT
from ops.settings import Settings
from ops.waiting import wait_for
from pipeline import data as stage
from tests.ml.jobs.data.pictures import pictures

pytestmark = pytest.mark.slow

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLES = {"processing": "sagemaker", "tuning": "account"}  # name: trust policy


@pytest.fixture(scope="module")
def made(embedded_aws: Any) -> Settings:
    """The settings of an environment with the bucket, the key and the two roles that a data job needs."""
    with pytest.MonkeyPatch.context() as patch:
        found = _connected(embedded_aws, patch, f"p{uuid.uuid4().hex[:8]}")
        _create_foundation(found)
    return found.settings


@pytest.fixture
def env(embedded_aws: Any, made: Settings, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """The environment of `made`, as root."""
    return _connected(embedded_aws, monkeypatch, made.project)


def _connected(aws: Any, patch: pytest.MonkeyPatch, project: str) -> Environment:
    for name, value in aws.credentials.items():
        patch.setenv(name, value)
    chosen = settings.load("dev").model_copy(update={"project": project})
    return Environment(chosen, sessions.new(REGION))


def _create_foundation(env: Environment) -> None:
    prefix, bucket, iam = env.settings.prefix, env.data_bucket, env.client("iam")
    roles = {
        f"{name}_role_arn": f"arn:aws:iam::{ACCOUNT}:role/{prefix}-{name.replace('_', '-')}"
        for name in ("processing", "training", "tuning", "endpoint", "ec2_host")
    }
    values = {
        **json.loads((ROOT / "policies/checks/values.json").read_text()),
        **roles,
        "bucket_arn": f"arn:aws:s3:::{bucket}",
        "environment": env.settings.environment,
        "prefix": prefix,
        "project": env.settings.project,
        "region": REGION,
    }

    def document(name: str) -> str:
        return Template((ROOT / f"policies/{name}.json").read_text()).substitute(values)

    env.client("s3").create_bucket(Bucket=bucket)
    for role, trust in ROLES.items():
        name = f"{prefix}-{role}"
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(f"trust/{trust}"))
        iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=document(f"roles/{role}"))
    key = env.client("kms").create_key()["KeyMetadata"]["Arn"]
    policy = json.loads(document("resources/key"))
    for statement in policy["Statement"]:  # roles that do not exist here
        arns = statement["Principal"].get("AWS")
        if isinstance(arns, list):
            statement["Principal"]["AWS"] = [arn for arn in arns if arn.endswith(tuple(ROLES))]
    env.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    outputs = {
        **roles,
        "account_id": ACCOUNT,
        "bucket": bucket,
        "kms_key_arn": key,
        "model_package_group_name": prefix,
        "model_package_group_arn": "arn:aws:sagemaker:::model-package-group/x",
        "ec2_log_group": "/x",
    }
    env.client("ssm").put_parameter(
        Name=parameter(env.settings, "foundation"), Value=json.dumps(outputs), Type="String"
    )


def _copy(env: Environment, folder: Path, name: str) -> str:
    """Copy a folder into the bucket as `aws s3 sync` does. Returns its source."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        key = f"sources/{name}/{path.relative_to(folder).as_posix()}"
        env.client("s3").put_object(Bucket=env.data_bucket, Key=key, Body=path.read_bytes())
    return f"s3://{env.data_bucket}/sources/{name}"


@pytest.fixture
def pets(env: Environment, tmp_path: Path) -> str:
    """Pictures of two classes in S3, one of which is damaged."""
    names = [
        f"{split}/{c}/{n}.png" for split in ("train", "valid", "test") for c in ("cat", "dog") for n in "ab"
    ]
    folder = pictures(tmp_path / "pets", names)
    (folder / "train/cat/damaged.png").write_bytes((folder / "train/cat/a.png").read_bytes()[:-30])
    return _copy(env, folder, "pets")


def test_the_sample_becomes_the_current_data_set(env: Environment) -> None:
    result = stage.run_on_sagemaker(env, "sample", instance_type="ml.m5.large")
    manifest = data.current(env)
    assert (result["dataset"], result["hash"]) == ("sample", manifest.hash)
    assert result["counts"] == {"train": 1259, "valid": 269, "test": 269}
    assert result["outcome"] == "done" and result["sent"] == 1797
    assert result["processing_job"].startswith(f"{env.settings.prefix}-data-")
    assert result["usd"] == pytest.approx(result["seconds"] * 0.115 / 3600, rel=0.1)  # of ml.m5.large
    described = env.client("sagemaker").describe_processing_job(ProcessingJobName=result["processing_job"])
    tags = env.client("sagemaker").list_tags(ResourceArn=described["ProcessingJobArn"])["Tags"]
    assert {"Key": "Application", "Value": env.settings.prefix} in tags
    assert described["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 100


def test_a_damaged_picture_fails_the_job_with_its_name_or_is_left_out(env: Environment, pets: str) -> None:
    with pytest.raises(
        OperatorError, match=r"(?s)1 problem\(s\).*train/cat/damaged\.png.*--skip-bad"
    ) as failed:
        stage.run_on_sagemaker(env, pets)
    name = running_name(str(failed.value))
    described = env.client("sagemaker").describe_processing_job(ProcessingJobName=name)
    assert described["ProcessingJobStatus"] == "Failed"
    assert "train/cat/damaged.png" in described["ExitMessage"]

    result = stage.run_on_sagemaker(env, pets, skip_bad=True)
    assert (result["dataset"], result["left_out"]) == ("pets", ["train/cat/damaged.png"])
    assert result["counts"] == {"train": 4, "valid": 4, "test": 4}
    assert data.current(env).dataset == "pets"
    again = stage.run_on_sagemaker(env, f"{pets}/", skip_bad=True)
    assert (again["outcome"], again["sent"], again["unchanged"]) == ("unchanged", 0, 12)
    assert again["processing_job"] != result["processing_job"]


def running_name(sentence: str) -> str:
    """Return the name of the job in a sentence."""
    return next(word for word in sentence.split() if "-data-" in word)


class Server:
    """A web server that accepts connections and does not answer: a job that downloads from it runs on."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/slow.zip"

    def close(self) -> None:
        self._socket.close()


def test_a_running_job_is_followed_and_can_be_stopped(env: Environment) -> None:
    server, ended = Server(), SimpleNamespace(error="")

    def follow() -> None:
        try:
            job.run(env, job.Options(source=server.url), on_status=lambda text, important=False: None)
        except OperatorError as error:
            ended.error = str(error)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        names = wait_for(
            lambda: _in_progress(env) or None, seconds=120, on_timeout=lambda: "the job has not started"
        )
        (name,) = names
        with pytest.raises(Refused, match=rf"{name} reads this source already, with other options \(none\)"):
            job.run(env, job.Options(source=server.url, skip_bad=True), on_status=_ignore)
        assert stage.stop(env) == {"stopped": [name]}
    finally:
        thread.join(180)
        server.close()
    assert f"The data job {name} ended as Stopped: it was stopped" in ended.error
    assert running.running(env, "processing") == {}


def _ignore(text: str, important: bool = False) -> None:
    pass


def _in_progress(env: Environment) -> list[str]:
    """Return the data jobs whose program has started."""
    sagemaker = env.client("sagemaker")
    return [
        name
        for name in running.running(env, "processing")
        if "ProcessingStartTime" in sagemaker.describe_processing_job(ProcessingJobName=name)
    ]
