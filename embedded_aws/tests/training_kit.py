"""For tests of training and tuning jobs: a role, a bucket and small programs on a running embedded AWS."""

from __future__ import annotations

import io
import json
import tarfile
import time
import uuid
from collections.abc import Callable
from typing import Any

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch:2.13-cpu-amzn2023-sagemaker"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
# Runs the hyperparameter `script`, which is encoded as JSON because AWS refuses line breaks.
SCRIPT = (
    "import json; exec(json.loads(json.load(open('/opt/ml/input/config/hyperparameters.json'))['script']))"
)
ENDED = ("Completed", "Failed", "Stopped")
METRICS = [{"Name": "validation:loss", "Regex": "validation:loss=([0-9.]+(?:e[-+]?[0-9]+)?)"}]


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def wait_for(condition: Callable[[], Any], timeout: float = 120) -> Any:
    """Wait until `condition` returns something true, and return it."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not true within {timeout} s")


class Training:
    """Creates training jobs and waits for them, with one bucket and a role for it."""

    def __init__(self, aws: Any):
        self.aws = aws
        self.sagemaker, self.s3, self.iam = (aws.client(name) for name in ("sagemaker", "s3", "iam"))
        self.bucket = unique("training")
        self.s3.create_bucket(Bucket=self.bucket)
        allowed = [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:GetObject", "s3:PutObject"],
                "Resource": [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"],
            },
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "*",
            },
            {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*"},
        ]
        self.role_arn = self.role(allowed)

    def role(self, statements: list[dict[str, Any]]) -> str:
        name = unique("training")
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy)
        return arn

    def put(self, key: str, body: bytes | str) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def source(self, program: str, files: dict[str, bytes] | None = None) -> str:
        """Upload a program, and files next to it, as a source archive. Return its URI."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, content in {"train.py": program.encode(), **(files or {})}.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return self.put(f"code/{uuid.uuid4().hex}/source.tar.gz", buffer.getvalue())

    def hyperparameters(self, program: str, files: dict[str, bytes] | None = None) -> dict[str, str]:
        return {"sagemaker_program": "train.py", "sagemaker_submit_directory": self.source(program, files)}

    def request(
        self, program: str = "", hyperparameters: dict[str, str] | None = None, **changes: Any
    ) -> dict:
        """Return a CreateTrainingJob request.

        program: run by AWS's toolkit.
        changes: members to replace; `instances` sets the instance count, `files` are next to the program. `script` replaces `program` by one that runs
        without the toolkit, which takes half a second of CPU time; its paths below /opt/ml/ are those of the job.
        """
        files = changes.pop("files", None)
        own = self.hyperparameters(program, files) if program else {}
        if script := changes.pop("script", None):
            own, changes["AlgorithmSpecification"] = (
                {"script": json.dumps(script)},
                image(SCRIPT, "python", "-uc"),
            )
        return {
            "TrainingJobName": unique("job"),
            "RoleArn": self.role_arn,
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": METRICS,
            },
            "HyperParameters": {**own, **(hyperparameters or {})},
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/training"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": changes.pop("instances", 1),
                "VolumeSizeInGB": 10,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 300},
            **changes,
        }

    def start(self, program: str = "", hyperparameters: dict[str, str] | None = None, **changes: Any) -> str:
        request = self.request(program, hyperparameters, **changes)
        self.sagemaker.create_training_job(**request)
        return request["TrainingJobName"]

    def run(self, program: str = "", hyperparameters: dict[str, str] | None = None, **changes: Any) -> dict:
        """Start a training job and wait until it ends. Return its description."""
        return self.ended(self.start(program, hyperparameters, **changes))

    def ended(self, name: str) -> dict[str, Any]:
        def description() -> dict[str, Any] | None:
            found = self.sagemaker.describe_training_job(TrainingJobName=name)
            return found if found["TrainingJobStatus"] in ENDED else None

        return wait_for(description)

    def log(self, job_name: str) -> dict[str, list[str]]:
        """Return the lines of each log stream of a job."""
        logs, group = self.aws.client("logs"), "/aws/sagemaker/TrainingJobs"
        try:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job_name}/")
        except logs.exceptions.ResourceNotFoundException:
            return {}  # no job has logged yet
        return {
            stream["logStreamName"]: [
                event["message"]
                for event in logs.get_log_events(
                    logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
                )["events"]
            ]
            for stream in streams["logStreams"]
        }

    def archive(self, uri: str) -> dict[str, bytes]:
        """Return the files of a tar.gz in S3."""
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        body = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            return {m.name: archive.extractfile(m).read() for m in archive.getmembers() if m.isfile()}


def image(program: str, *command: str) -> dict[str, Any]:
    """Return the AlgorithmSpecification of an image with a ContainerEntrypoint.

    program: a shell command, or the last argument of `command`.
    """
    return {
        "TrainingImage": "image:latest",
        "TrainingInputMode": "File",
        "ContainerEntrypoint": [*(command or ("/bin/sh", "-c")), program],
        "MetricDefinitions": METRICS,
    }


def channel(name: str, uri: str, data_type: str = "S3Prefix", distribution: str = "FullyReplicated") -> dict:
    source = {"S3DataType": data_type, "S3Uri": uri, "S3DataDistributionType": distribution}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


class SimulatedObjects:
    """A simulated bucket, in place of RoleObjects."""

    def __init__(self, objects: dict[str, bytes]):
        self.objects = objects

    def list(self, bucket: str, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))

    def read(self, bucket: str, key: str) -> bytes:
        return self.objects[key]
