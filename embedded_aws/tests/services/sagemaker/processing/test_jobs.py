"""Processing jobs on a running embedded AWS, as boto3 sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded_aws.services.sagemaker.processing.run import LOG_GROUP
from training_kit import ENDED, Training, unique, wait_for

pytestmark = pytest.mark.slow

CODE = "/opt/ml/processing/input/code"
INPUT = "/opt/ml/processing/input/in"
OUTPUT = "/opt/ml/processing/output/out"
COPY = f"""
mkdir -p {OUTPUT}/sub && cp {INPUT}/deep/a.txt {OUTPUT}/sub/b.txt
cp /opt/ml/config/processingjobconfig.json {OUTPUT}/job.json
echo "$GREETING from $1" && echo all good > /opt/ml/output/message
"""


class Processing:
    """Creates processing jobs and waits for them, with the bucket and role of training jobs."""

    def __init__(self, aws: Any):
        self.work = Training(aws)
        self.aws, self.sagemaker, self.s3, self.bucket = (
            aws,
            self.work.sagemaker,
            self.work.s3,
            self.work.bucket,
        )

    def start(self, script: str, **changes: Any) -> str:
        """Start a shell script. changes: members to replace; `inputs` besides the script."""
        name = unique("processing")
        self.work.put("in/deep/a.txt", "content of a")
        self.work.put(
            f"{name}-code/run.sh", script
        )  # an argument has at most 256 characters, and no line breaks
        inputs = changes.pop("inputs", [self.input("in", f"s3://{self.bucket}/in/", INPUT)])
        target = {"S3Uri": f"s3://{self.bucket}/{name}", "LocalPath": OUTPUT, "S3UploadMode": "EndOfJob"}
        request: dict[str, Any] = {
            "ProcessingJobName": name,
            "RoleArn": self.work.role_arn,
            "AppSpecification": {
                "ImageUri": "image:latest",
                "ContainerEntrypoint": ["/bin/sh", f"{CODE}/run.sh"],
                "ContainerArguments": ["arguments"],
            },
            "Environment": {"GREETING": "Hello"},
            "ProcessingInputs": [self.input("code", f"s3://{self.bucket}/{name}-code/", CODE), *inputs],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": target}]},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
            "Tags": [{"Key": "Project", "Value": "tests"}],
            **changes,
        }
        self.sagemaker.create_processing_job(**request)
        return name

    def input(self, name: str, uri: str, path: str) -> dict[str, Any]:
        source = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
        return {"InputName": name, "S3Input": source}

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_processing_job(ProcessingJobName=name)
        return found

    def ended(self, name: str) -> dict[str, Any]:
        wait_for(lambda: self.describe(name)["ProcessingJobStatus"] in ENDED)
        return self.describe(name)

    def log(self, name: str) -> list[str]:
        events = self.aws.client("logs").filter_log_events(
            logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/algo-1-"
        )
        return [event["message"] for event in events["events"]]

    def object(self, key: str) -> str:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body.decode()


@pytest.fixture(scope="module")
def jobs(embedded_aws: Any) -> Processing:
    return Processing(embedded_aws)


def test_job_reads_its_inputs_and_writes_its_outputs(jobs: Processing) -> None:
    name = jobs.start(COPY)
    job = jobs.ended(name)
    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["ExitMessage"] == "all good\n"
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    assert "FailureReason" not in job
    assert jobs.object(f"{name}/sub/b.txt") == "content of a"
    config = json.loads(jobs.object(f"{name}/job.json"))
    assert (config["ProcessingJobName"], config["ProcessingJobArn"]) == (name, job["ProcessingJobArn"])
    assert "Hello from arguments" in jobs.log(name)
    tags = jobs.sagemaker.list_tags(ResourceArn=job["ProcessingJobArn"])["Tags"]
    assert tags == [{"Key": "Project", "Value": "tests"}]
    listed = jobs.sagemaker.list_processing_jobs(NameContains=name, StatusEquals="Completed")
    assert [one["ExitMessage"] for one in listed["ProcessingJobSummaries"]] == ["all good\n"]
    assert (
        jobs.sagemaker.list_processing_jobs(NameContains=name, StatusEquals="Failed")[
            "ProcessingJobSummaries"
        ]
        == []
    )


def test_failed_job_has_the_exit_code_and_the_programs_message_and_no_outputs(jobs: Processing) -> None:
    script = f"echo x > {OUTPUT}/file; printf '%2000s' 'no such image' > /opt/ml/output/message; exit 3"
    name = jobs.start(script)
    job = jobs.ended(name)
    assert (job["ProcessingJobStatus"], job["FailureReason"]) == ("Failed", "AlgorithmError: , exit code: 3")
    assert len(job["ExitMessage"]) == 1024
    assert jobs.s3.list_objects_v2(Bucket=jobs.bucket, Prefix=f"{name}/")["KeyCount"] == 0


def test_input_without_objects_and_role_without_permission_fail_the_job(jobs: Processing) -> None:
    empty = jobs.start("true", inputs=[jobs.input("in", f"s3://{jobs.bucket}/none/", INPUT)])
    without_s3 = jobs.work.role([{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}])
    denied = jobs.start("true", RoleArn=without_s3)
    assert "No S3 objects found under S3 URL" in jobs.ended(empty)["FailureReason"]
    assert "AccessDenied" in jobs.ended(denied)["FailureReason"]


def test_running_job_is_stopped_by_request_or_by_its_limit(jobs: Processing) -> None:
    script = "trap 'echo stops > /opt/ml/output/message; exit 0' TERM; echo runs; sleep 600 & wait"
    limited = jobs.start(script, StoppingCondition={"MaxRuntimeInSeconds": 1})
    name = jobs.start(script)
    wait_for(lambda: "ProcessingStartTime" in jobs.describe(name) and "runs" in jobs.log(name))
    jobs.sagemaker.stop_processing_job(ProcessingJobName=name)
    assert jobs.ended(name)["ProcessingJobStatus"] == "Stopped"
    assert jobs.ended(name)["ExitMessage"] == "stops\n"
    assert jobs.ended(limited)["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="processing job is in status Stopped"):
        jobs.sagemaker.stop_processing_job(ProcessingJobName=name)


def test_names_are_unique_until_deleted(jobs: Processing) -> None:
    name = jobs.start("true")
    with pytest.raises(ClientError, match="must be unique") as refused:
        jobs.start("true", ProcessingJobName=name)
    assert refused.value.response["Error"]["Code"] == "ResourceInUse"
    jobs.ended(name)
    jobs.sagemaker.delete_processing_job(ProcessingJobName=name)
    with pytest.raises(ClientError, match="Could not find requested job with name") as missing:
        jobs.describe(name)
    assert missing.value.response["Error"]["Code"] == "ValidationException"


def test_quota_and_role_are_checked(jobs: Processing) -> None:
    cluster = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
    with pytest.raises(ClientError, match=r"ml.g5.xlarge for processing job usage' is 0 Instances"):
        jobs.start("true", ProcessingResources={"ClusterConfig": cluster})
    with pytest.raises(ClientError, match="assume") as refused:
        jobs.start("true", RoleArn=jobs.work.role_arn + "-other")
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_network_isolation_leaves_the_program_no_credentials(jobs: Processing) -> None:
    name = jobs.start(
        f'echo "key=$AWS_ACCESS_KEY_ID" > {OUTPUT}/key', NetworkConfig={"EnableNetworkIsolation": True}
    )
    assert jobs.ended(name)["ProcessingJobStatus"] == "Completed"
    assert jobs.object(f"{name}/key") == "key=\n"
