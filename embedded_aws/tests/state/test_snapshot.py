"""Snapshots: the state of every service survives a restart and a kill."""

from __future__ import annotations

import io
import json
import os
import signal
import zipfile
from typing import Any

import pytest

from embedded_aws import client
from embedded_aws.errors import EmbeddedAwsError

pytestmark = pytest.mark.slow

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def _create_objects(aws: Any) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first", b"x" * 100_000):
        s3.put_object(Bucket="kept", Key="a/key", Body=body, Metadata={"m": "1"}, Tagging="t=1")
    s3.put_object(Bucket="kept", Key="gone", Body=b"y" * 5000)
    s3.delete_object(Bucket="kept", Key="gone")
    upload = s3.create_multipart_upload(Bucket="kept", Key="open")["UploadId"]
    s3.upload_part(Bucket="kept", Key="open", UploadId=upload, PartNumber=1, Body=b"p" * 6_000_000)


def _create(aws: Any) -> None:
    _create_objects(aws)
    iam = aws.client("iam")
    iam.create_role(RoleName="kept", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(
        RoleName="kept",
        PolicyName="inline",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
        ),
    )
    iam.attach_role_policy(RoleName="kept", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    role = "arn:aws:iam::123456789012:role/kept"

    key = aws.client("kms").create_key(Description="kept")["KeyMetadata"]["KeyId"]
    aws.client("kms").create_alias(AliasName="alias/kept", TargetKeyId=key)
    aws.client("ssm").put_parameter(Name="/kept/one", Value="1", Type="String")
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/kept")
    logs.create_log_stream(logGroupName="/kept", logStreamName="s")
    logs.put_log_events(
        logGroupName="/kept",
        logStreamName="s",
        logEvents=[{"timestamp": 1_700_000_000_000, "message": "hello"}],
    )
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="kept")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("handler.py", "def handler(event, context):\n    return event\n")
    aws.client("lambda").create_function(
        FunctionName="kept",
        Runtime="python3.12",
        Role=role,
        Handler="handler.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    ec2.create_security_group(GroupName="kept", Description="kept", VpcId=vpc)
    aws.client("sqs").create_queue(QueueName="kept")
    aws.client("sqs").send_message(QueueUrl=f"{aws.endpoint_url}/123456789012/kept", MessageBody="m")
    topic = aws.client("sns").create_topic(Name="kept")["TopicArn"]
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="kept",
        Namespace="N",
        MetricName="m",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        Statistic="Sum",
        AlarmActions=[topic],
    )
    aws.client("cloudwatch").put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 3.0}])


def _described(aws: Any) -> dict[str, Any]:
    """Return what a caller sees of everything that `_create` created."""
    s3, iam, kms, logs = (aws.client(name) for name in ("s3", "iam", "kms", "logs"))
    ec2, sagemaker, functions = (aws.client(name) for name in ("ec2", "sagemaker", "lambda"))
    newest = s3.get_object(Bucket="kept", Key="a/key")
    versions = s3.list_object_versions(Bucket="kept")
    answers = {
        "versions": versions["Versions"] + versions["DeleteMarkers"],
        "bodies": [
            s3.get_object(Bucket="kept", Key=v["Key"], VersionId=v["VersionId"])["Body"].read()
            for v in versions["Versions"]
        ],
        "newest": [newest[k] for k in ("ETag", "Metadata", "LastModified", "VersionId", "TagCount")],
        "uploads": [u["Key"] for u in s3.list_multipart_uploads(Bucket="kept")["Uploads"]],
        "role": iam.get_role(RoleName="kept")["Role"],
        "inline": iam.list_role_policies(RoleName="kept")["PolicyNames"],
        "attached": iam.list_attached_role_policies(RoleName="kept")["AttachedPolicies"],
        "key": kms.describe_key(KeyId="alias/kept")["KeyMetadata"],
        "parameter": aws.client("ssm").get_parameter(Name="/kept/one")["Parameter"],
        "events": logs.get_log_events(logGroupName="/kept", logStreamName="s")["events"],
        "group": sagemaker.describe_model_package_group(ModelPackageGroupName="kept"),
        "function": functions.get_function_configuration(FunctionName="kept"),
        "security groups": ec2.describe_security_groups()["SecurityGroups"],
        "vpcs": ec2.describe_vpcs()["Vpcs"],
        "alarm": aws.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "metrics": aws.client("cloudwatch").list_metrics()["Metrics"],
        "topics": aws.client("sns").list_topics()["Topics"],
        "queues": aws.client("sqs").list_queues()["QueueUrls"],
    }
    for alarm in answers["alarm"]:
        for name in [name for name in alarm if name.startswith("State")]:
            del alarm[name]  # changes with each evaluation
    for answer in answers.values():
        if isinstance(answer, dict):
            answer.pop("ResponseMetadata", None)
    return answers


def _saved_again(aws: Any, since: float) -> bool:
    snapshot = aws.home / "state" / "snapshot"
    return snapshot.exists() and snapshot.stat().st_mtime > since


def test_every_service_is_the_same_after_a_restart_and_after_a_kill(fresh_embedded_aws, until) -> None:
    aws = fresh_embedded_aws
    _create(aws)
    before = _described(aws)
    ciphertext = aws.client("kms").encrypt(KeyId="alias/kept", Plaintext=b"secret")["CiphertextBlob"]

    aws.restart()
    assert _described(aws) == before
    assert aws.client("kms").decrypt(CiphertextBlob=ciphertext)["Plaintext"] == b"secret"
    assert b"is not in the saved state" not in (aws.home / "log" / "service.log").read_bytes()

    # Changes are saved without a stop: a kill a little later loses nothing.
    snapshot = (aws.home / "state" / "snapshot").stat().st_mtime
    aws.client("s3").put_object(Bucket="kept", Key="late", Body=b"z" * 2000)
    until(lambda: _saved_again(aws, snapshot))
    os.kill(aws.address.pid, signal.SIGKILL)
    aws.restart()
    assert aws.client("s3").get_object(Bucket="kept", Key="late")["Body"].read() == b"z" * 2000
    before["versions"] = [v for v in _described(aws)["versions"] if v["Key"] != "late"]
    assert len(before["versions"]) == 4

    # A multipart upload continues after the restart.
    s3 = aws.client("s3")
    upload = s3.list_multipart_uploads(Bucket="kept")["Uploads"][0]["UploadId"]
    part = s3.list_parts(Bucket="kept", Key="open", UploadId=upload)["Parts"][0]
    s3.complete_multipart_upload(
        Bucket="kept",
        Key="open",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert s3.head_object(Bucket="kept", Key="open")["ContentLength"] == 6_000_000


def test_a_snapshot_of_another_version_is_refused(fresh_embedded_aws) -> None:
    aws = fresh_embedded_aws
    client.stop(aws.home)
    snapshot = aws.home / "state" / "snapshot"
    _, _, rest = snapshot.read_bytes().partition(b"\n")
    header = {"format": 1, "moto": "5.1.0", "python": "3.9"}
    snapshot.write_bytes(json.dumps(header).encode() + b"\n" + rest)
    with pytest.raises(EmbeddedAwsError, match=r"was written by moto 5\.1\.0 on Python 3\.9"):
        client.start(aws.home)
    snapshot.write_bytes(snapshot.read_bytes()[:2000].replace(b"5.1.0", b"5.2.5"))
    with pytest.raises(EmbeddedAwsError, match="The saved state"):
        client.start(aws.home)
