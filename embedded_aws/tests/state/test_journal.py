"""Journal: `kill -9` loses no answered write."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws.state import journal
from functions_kit import Functions
from training_kit import TRUST

pytestmark = pytest.mark.slow


def _kill(aws: Any) -> None:
    os.kill(aws.address.pid, signal.SIGKILL)
    aws.restart()


@contextmanager
def _killed_without_snapshots(aws: Any) -> Iterator[None]:
    """Block snapshots with a folder of that name until the kill: writes are only in the journal."""
    snapshot = aws.home / "state" / "snapshot"
    aside = snapshot.with_name("aside")
    while not snapshot.is_dir():
        if snapshot.exists():
            snapshot.replace(aside)
        with suppress(FileExistsError, NotADirectoryError):  # a snapshot was written in between
            (snapshot / "in the way").mkdir(parents=True)
    yield
    os.kill(aws.address.pid, signal.SIGKILL)
    shutil.rmtree(snapshot)
    if aside.exists():
        aside.replace(snapshot)


def _everything(s3: Any, bucket: str) -> list[tuple]:
    """Return every version and delete marker in S3's order, with bytes and tags."""
    listed = s3.list_object_versions(Bucket=bucket)
    found: list[tuple] = [
        (m["Key"], m["VersionId"], m["IsLatest"], "deleted") for m in listed.get("DeleteMarkers", [])
    ]
    for version in listed.get("Versions", []):
        which = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
        answer = s3.get_object(**which)
        tags = s3.get_object_tagging(**which)["TagSet"]
        found.append(
            (
                version["Key"],
                version["VersionId"],
                version["IsLatest"],
                answer["Body"].read(),
                answer["Metadata"],
                tags,
            )
        )
    return found


def _kept(aws: Any) -> dict[str, Any]:
    """Return what a caller sees of the services that `_write` writes to."""
    ssm, iam, sagemaker, ec2 = (aws.client(name) for name in ("ssm", "iam", "sagemaker", "ec2"))
    attached = iam.list_attached_role_policies(RoleName="kept")["AttachedPolicies"]
    read_only = iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")["Policy"]
    return {
        "parameters": {
            p["Name"]: p["Value"]
            for page in ssm.get_paginator("get_parameters_by_path").paginate(Path="/kept")
            for p in page["Parameters"]
        },
        "role": iam.get_role(RoleName="kept")["Role"],
        "policies": (attached, read_only["AttachmentCount"], len(iam.list_policies(Scope="AWS")["Policies"])),
        "groups": [
            g["ModelPackageGroupName"]
            for g in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
        ],
        "models": [
            m["ModelPackageArn"]
            for m in sagemaker.list_model_packages(ModelPackageGroupName="kept")["ModelPackageSummaryList"]
        ],
        "instances": [
            i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]
        ],
        "functions": [
            (f["FunctionName"], f["CodeSha256"]) for f in aws.client("lambda").list_functions()["Functions"]
        ],
        "alarms": [a["AlarmName"] for a in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]],
    }


def test_writes_to_every_service_survive_an_immediate_kill(fresh_embedded_aws) -> None:
    aws = fresh_embedded_aws
    with _killed_without_snapshots(aws):
        before = _write(aws)
    aws.restart()
    assert _kept(aws) == before


def _write(aws: Any) -> dict[str, Any]:
    """Write to every service that `_kept` reads; return the result of `_kept`."""
    aws.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument=json.dumps(TRUST))
    for policy in ("ReadOnlyAccess", "PowerUserAccess"):
        arn = f"arn:aws:iam::aws:policy/{policy}"
        aws.client("iam").attach_role_policy(RoleName="kept", PolicyArn=arn)
    aws.client("iam").detach_role_policy(RoleName="kept", PolicyArn=arn)
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName="kept")
    aws.client("sagemaker").create_model_package(
        ModelPackageGroupName="kept",
        InferenceSpecification={
            "Containers": [{"Image": "i", "ModelDataUrl": "s3://b/k"}],
            "SupportedContentTypes": ["image/jpeg"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )
    ec2 = aws.client("ec2")
    images = ec2.describe_images(Filters=[{"Name": "name", "Values": ["al2023-ami-*"]}])["Images"]
    ec2.run_instances(ImageId=images[0]["ImageId"], InstanceType="t3.micro", MinCount=1, MaxCount=1)
    Functions(aws).create()
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="kept",
        Namespace="N",
        MetricName="m",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        Statistic="Sum",
    )
    ssm = aws.client("ssm")
    with ThreadPoolExecutor(8) as pool:  # concurrent records must not hide each other
        names = [f"/kept/{number}" for number in range(40)]
        list(pool.map(lambda name: ssm.put_parameter(Name=name, Value=name, Type="String"), names))
    ssm.delete_parameter(Name="/kept/0")
    before = _kept(aws)
    assert before["parameters"] == {name: name for name in names[1:]}
    return before


def test_every_kind_of_s3_write_survives_an_immediate_kill(fresh_embedded_aws) -> None:
    aws = fresh_embedded_aws
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    for number in range(5):
        s3.put_object(Bucket="kept", Key="versions", Body=b"%d" % number * 3000, Metadata={"n": str(number)})
    s3.put_object(Bucket="kept", Key="gone", Body=b"soon", Tagging="t=1")
    s3.delete_object(Bucket="kept", Key="gone")
    s3.copy_object(Bucket="kept", Key="copy", CopySource="kept/versions")
    s3.put_object_tagging(Bucket="kept", Key="copy", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    first = s3.list_object_versions(Bucket="kept", Prefix="versions")["Versions"][-1]["VersionId"]
    s3.delete_object(Bucket="kept", Key="versions", VersionId=first)
    for key in ("x", "y"):
        s3.put_object(Bucket="kept", Key=key, Body=b"-")
    s3.delete_objects(Bucket="kept", Delete={"Objects": [{"Key": "x"}, {"Key": "y"}]})
    done = s3.create_multipart_upload(Bucket="kept", Key="large")["UploadId"]
    part = s3.upload_part(Bucket="kept", Key="large", UploadId=done, PartNumber=1, Body=b"p" * 2000)
    s3.complete_multipart_upload(
        Bucket="kept",
        Key="large",
        UploadId=done,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    upload = s3.create_multipart_upload(Bucket="kept", Key="open")["UploadId"]
    part = s3.upload_part(Bucket="kept", Key="open", UploadId=upload, PartNumber=1, Body=b"q" * 2000)
    s3.create_bucket(Bucket="dropped")
    s3.put_object(Bucket="dropped", Key="k", Body=b"-")
    s3.delete_object(Bucket="dropped", Key="k")
    s3.delete_bucket(Bucket="dropped")
    before = _everything(s3, "kept")
    assert len(before) == 12

    _kill(aws)
    assert _everything(s3, "kept") == before
    assert s3.get_bucket_tagging(Bucket="kept")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["kept"]
    s3.complete_multipart_upload(
        Bucket="kept",
        Key="open",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert s3.get_object(Bucket="kept", Key="open")["Body"].read() == b"q" * 2000

    # A partial record is ignored: its write was never answered.
    with _killed_without_snapshots(aws):
        s3.put_object(Bucket="kept", Key="whole", Body=b"-")
        s3.put_object(Bucket="kept", Key="half", Body=b"-")
    header = len(journal._HEADER)
    segments = [path for path in (aws.home / "state").glob("journal.*") if path.stat().st_size > header]
    last = max(segments, key=lambda path: int(path.suffix[1:]))
    last.write_bytes(last.read_bytes()[:-10])
    aws.restart()
    keys = {entry["Key"] for entry in s3.list_objects_v2(Bucket="kept")["Contents"]}
    assert "whole" in keys and "half" not in keys


def test_a_snapshot_makes_older_segments_obsolete(tmp_path) -> None:
    for number in (1, 2, 3):
        kept = journal.Journal(tmp_path)  # as after a kill: a new segment, and the others stay
        assert kept.begin() == number
    assert len(list(tmp_path.iterdir())) == 3
    kept.drop(before=3)
    assert [path.name for path in tmp_path.iterdir()] == ["journal.3"]


def test_answered_writes_survive_a_kill_at_any_moment(fresh_embedded_aws, until) -> None:
    """Write while a snapshot is saved. After the kill every answered version is there, in order."""
    aws = fresh_embedded_aws
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="busy")
    s3.put_bucket_versioning(Bucket="busy", VersioningConfiguration={"Status": "Enabled"})
    acknowledged: dict[str, list[str]] = {f"own-{n}": [] for n in range(2)} | {"shared": []}

    def write(name: str, stop: threading.Event) -> None:
        client = aws.client("s3")
        try:
            while not stop.is_set():
                answer = client.put_object(Bucket="busy", Key=name, Body=os.urandom(1500))
                acknowledged[name].append(answer["VersionId"])
                answer = client.put_object(Bucket="busy", Key="shared", Body=b"-")
                acknowledged["shared"].append(answer["VersionId"])
        except (BotoCoreError, ClientError):
            return  # killed

    stop = threading.Event()
    threads = [threading.Thread(target=write, args=(f"own-{n}", stop)) for n in range(2)]
    for thread in threads:
        thread.start()
    snapshot = aws.home / "state" / "snapshot"
    until(snapshot.exists)
    written = len(acknowledged["shared"])
    until(lambda: len(acknowledged["shared"]) > written + 10)
    os.kill(aws.address.pid, signal.SIGKILL)
    stop.set()
    for thread in threads:
        thread.join()
    aws.restart()
    listed = s3.get_paginator("list_object_versions").paginate(Bucket="busy")
    kept: dict[str, list[str]] = {name: [] for name in acknowledged}
    for page in listed:
        for version in page["Versions"]:
            kept[version["Key"]].insert(0, version["VersionId"])
    for name, versions in acknowledged.items():
        assert set(versions) <= set(kept[name])
        if name != "shared":
            assert [v for v in kept[name] if v in versions] == versions
    assert all(len(versions) > 3 for versions in acknowledged.values())


def test_of_concurrent_conditional_writes_exactly_one_succeeds(embedded_aws) -> None:
    """As for the lock file of a Terraform state. moto alone lets several succeed."""
    s3 = embedded_aws.client("s3")
    s3.create_bucket(Bucket="first-come")
    outcomes: list[list[str]] = []

    def write(number: int) -> None:
        try:
            s3.put_object(Bucket="first-come", Key=f"{number}", Body=b"-", IfNoneMatch="*")
            outcomes[number].append("written")
        except ClientError as error:
            outcomes[number].append(error.response["Error"]["Code"])

    for number in range(10):
        outcomes.append([])
        threads = [threading.Thread(target=write, args=(number,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [sorted(found) for found in outcomes] == [["PreconditionFailed"] * 3 + ["written"]] * 10
