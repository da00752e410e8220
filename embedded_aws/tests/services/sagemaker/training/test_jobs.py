"""Training jobs: inputs, outputs, instances, network isolation, lists, the SageMaker SDK."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from embedded_aws.processes.isolation.container import refusal
from embedded_aws.processes.supervisor import Supervisor
from training_kit import Training, channel, image, unique

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(embedded_aws) -> Training:
    return Training(embedded_aws)


def test_program_gets_its_inputs_and_its_outputs_are_uploaded(work: Training) -> None:
    work.put("data#1/train/cat/1.png", b"one")
    work.put("data#1/train/dog/2?x=a#b %41+ü.png", b"two")
    program = """
import json, os, sys
env = {k: os.environ.get(k) for k in ("SM_HOSTS", "TRAINING_JOB_NAME", "TRAINING_JOB_ARN", "COLOR",
                                      "AWS_REGION", "SM_CURRENT_INSTANCE_TYPE")}
train = os.environ["SM_CHANNEL_TRAIN"]
files = sorted(os.path.relpath(os.path.join(d, f), train) for d, _, fs in os.walk(train) for f in fs)
report = {"arguments": sys.argv[1:], "environment": env, "files": files, "path": sys.path}
open(os.path.join(os.environ["SM_MODEL_DIR"], "report.json"), "w").write(json.dumps(report))
open(os.path.join(os.environ["SM_OUTPUT_DATA_DIR"], "notes.txt"), "w").write("noted")
print("validation:loss=0.75")
print("validation:loss=2.5e-1")
"""
    request = work.request(
        program,
        {"learning-rate": "0.1"},
        InputDataConfig=[channel("train", f"s3://{work.bucket}/data#1/train")],
        Environment={"COLOR": "blue"},
    )
    work.sagemaker.create_training_job(**request)
    job = work.ended(request["TrainingJobName"])

    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed"
    for member, value in request.items():
        assert job[member] == value, member
    steps = [step["Status"] for step in job["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all("EndTime" in step and step["StatusMessage"] for step in job["SecondaryStatusTransitions"])
    (metric,) = job["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("validation:loss", 0.25)
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"] >= 1

    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{work.bucket}/training/{request['TrainingJobName']}/output/model.tar.gz"
    report = json.loads(work.archive(uri)["report.json"])
    assert report["arguments"] == ["--learning-rate", "0.1"]
    assert report["files"] == ["cat/1.png", "dog/2?x=a#b %41+ü.png"]
    assert report["environment"]["COLOR"] == "blue"
    assert report["environment"]["TRAINING_JOB_NAME"] == job["TrainingJobName"]
    assert report["environment"]["TRAINING_JOB_ARN"] == job["TrainingJobArn"]
    assert report["environment"]["SM_CURRENT_INSTANCE_TYPE"] == "ml.m5.large"
    assert not [p for p in report["path"] if p.endswith("sagemaker/training")]
    assert work.archive(uri.replace("model.tar.gz", "output.tar.gz")) == {"notes.txt": b"noted"}
    (stream, lines), *rest = work.log(job["TrainingJobName"]).items()
    assert not rest and stream.startswith(f"{job['TrainingJobName']}/algo-1-")
    assert "validation:loss=0.75" in lines
    metrics = work.aws.client("cloudwatch").list_metrics(Namespace="/aws/sagemaker/TrainingJobs")["Metrics"]
    assert {"Name": "TrainingJobName", "Value": job["TrainingJobName"]} in [
        m["Dimensions"][0] for m in metrics
    ]
    assert not list(Path(work.aws.home, "training").glob(f"*/{job['TrainingJobName']}"))


def test_manifest_fast_file_and_uncompressed_output(work: Training) -> None:
    """Also a request for a warm pool."""
    for name in ("1.png", "2.png", "3.png"):
        work.put(f"listed/{name}", name)
    manifest = work.put(
        "list.manifest", json.dumps([{"prefix": f"s3://{work.bucket}/listed/"}, "1.png", "3.png"])
    )
    program = """
import shutil
shutil.copytree("/opt/ml/input/data/train", "/opt/ml/model/train")
shutil.copy("/opt/ml/input/config/inputdataconfig.json", "/opt/ml/model")
"""
    request = work.request(
        script=program,
        InputDataConfig=[{**channel("train", manifest, "ManifestFile"), "InputMode": "FastFile"}],
        OutputDataConfig={"S3OutputPath": f"s3://{work.bucket}/plain", "CompressionType": "NONE"},
    )
    request["ResourceConfig"]["KeepAlivePeriodInSeconds"] = 600
    work.sagemaker.create_training_job(**request)
    name = request["TrainingJobName"]
    assert work.sagemaker.describe_training_job(TrainingJobName=name)["WarmPoolStatus"] == {"Status": "InUse"}
    job = work.ended(name)
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{work.bucket}/plain/{name}/output/model/"
    listed = work.s3.list_objects_v2(Bucket=work.bucket, Prefix=f"plain/{name}/")["Contents"]
    keys = [item["Key"].partition("/output/")[2] for item in listed]
    assert keys == ["model/inputdataconfig.json", "model/train/1.png", "model/train/3.png"]
    body = work.s3.get_object(Bucket=work.bucket, Key=listed[0]["Key"])["Body"]
    assert json.load(body)["train"]["TrainingInputMode"] == "FastFile"
    assert job["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600
    assert job["WarmPoolStatus"] == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}
    pools = work.sagemaker.list_training_jobs(WarmPoolStatusEquals="Terminated")["TrainingJobSummaries"]
    assert name in [pool["TrainingJobName"] for pool in pools]


def test_instances_connect_to_each_other_and_shard_the_data(work: Training) -> None:
    for number in range(4):
        work.put(f"shards/{number}.txt", str(number))
    program = """
import json, os, socket, time
hosts, me = json.loads(os.environ["SM_HOSTS"]), os.environ["SM_CURRENT_HOST"]
files = sorted(os.listdir(os.environ["SM_CHANNEL_TRAIN"]))
if me == hosts[0]:
    with socket.create_server((os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))) as server:
        peer, _ = server.accept()
        theirs = json.loads(peer.makefile().readline())
    json.dump([files, theirs], open(os.path.join(os.environ["SM_MODEL_DIR"], "both.json"), "w"))
else:
    for _ in range(200):
        try:
            peer = socket.create_connection((hosts[0], int(os.environ["MASTER_PORT"]))); break
        except ConnectionRefusedError:
            time.sleep(0.05)
    peer.sendall((json.dumps(files) + "\\n").encode())
    open(os.path.join(os.environ["SM_MODEL_DIR"], me), "w").write("second")
"""
    data = [channel("train", f"s3://{work.bucket}/shards/", distribution="ShardedByS3Key")]
    job = work.run(program, instances=2, InputDataConfig=data)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    files = work.archive(job["ModelArtifacts"]["S3ModelArtifacts"])
    assert json.loads(files.pop("both.json")) == [["0.txt", "2.txt"], ["1.txt", "3.txt"]]
    assert list(files.values()) == [b"second"]
    assert len(work.log(job["TrainingJobName"])) == 2


def test_job_without_a_model_completes(work: Training) -> None:
    job = work.run(AlgorithmSpecification=image("true"))
    assert job["TrainingJobStatus"] == "Completed"
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{work.bucket}/training/{job['TrainingJobName']}/output/model.tar.gz"
    with pytest.raises(ClientError, match="does not exist"):
        work.archive(uri)


def test_checkpoints_are_uploaded_and_restored(work: Training) -> None:
    program = """
import os
path = "/opt/ml/checkpoints/epoch.txt"
epoch = int(open(path).read()) if os.path.exists(path) else 0
open(path, "w").write(str(epoch + 1))
print(f"validation:loss={epoch}.5")
"""
    changes = {"CheckpointConfig": {"S3Uri": f"s3://{work.bucket}/checkpoints/both"}}
    jobs = [work.run(script=program, **changes) for _ in range(2)]
    losses = [job["FinalMetricDataList"][0]["Value"] for job in jobs]
    assert losses == [0.5, 1.5]
    kept = work.s3.get_object(Bucket=work.bucket, Key="checkpoints/both/epoch.txt")["Body"].read()
    assert kept == b"2"


def test_container_entrypoint_runs_with_any_image(work: Training) -> None:
    program = "echo hello > /opt/ml/model/greeting; echo why > /opt/ml/output/failure; exit 3"
    algorithm = {**image("-c", "/bin/sh"), "ContainerArguments": [program]}
    job = work.run(AlgorithmSpecification=algorithm)
    assert job["FailureReason"] == "AlgorithmError: why, exit code: 3"


def test_network_isolation_allows_only_connections_between_instances(work: Training) -> None:
    program = """
import json, os, socket, sys, time
hosts, me = json.loads(os.environ["SM_HOSTS"]), os.environ["SM_CURRENT_HOST"]
secrets = [name for name in os.environ if name.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION", "AWS_ENDPOINT"))]
try:
    socket.create_connection(("127.0.0.1", SERVER), timeout=5).close()
    reached = True
except OSError:
    reached = False
address = hosts[0], int(os.environ["MASTER_PORT"])
if me == hosts[0]:
    with socket.create_server(address) as server:
        theirs = server.accept()[0].makefile().readline()
    json.dump([secrets, reached, theirs], open(os.path.join(os.environ["SM_MODEL_DIR"], "seen"), "w"))
else:
    while True:
        try:
            socket.create_connection(address).sendall(b"hello\\n"); break
        except ConnectionRefusedError:
            time.sleep(0.05)
""".replace("SERVER", str(work.aws.port))
    source = work.source(program)
    job = work.run(
        "",
        {
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": "/opt/ml/input/data/code/source.tar.gz",  # S3 is not reachable
        },
        InputDataConfig=[channel("code", source.rsplit("/", 1)[0])],
        instances=2,
        EnableNetworkIsolation=True,
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    seen = json.loads(work.archive(job["ModelArtifacts"]["S3ModelArtifacts"])["seen"])
    for lines in work.log(job["TrainingJobName"]).values():
        note = " ".join(line for line in lines if line.startswith("[embedded AWS]"))
        if not refusal(Supervisor()):
            assert seen == [[], False, "hello\n"]
            assert "only the job's own network" in note
        else:
            assert seen == [[], True, "hello\n"]
            assert "are not blocked" in note


def test_names_are_unique_and_jobs_are_tagged_and_listed(work: Training) -> None:
    prefix = unique("listed")
    names = [
        work.start(
            AlgorithmSpecification=image(f"exit {n // 2}"),
            TrainingJobName=f"{prefix}-{n}",
            Tags=[{"Key": "number", "Value": str(n)}],
        )
        for n in range(3)
    ]
    with pytest.raises(ClientError, match="must be unique within an AWS account and region") as refused:
        work.start("print(1)", TrainingJobName=names[0])
    assert refused.value.response["Error"]["Code"] == "ResourceInUse"
    jobs = [work.ended(name) for name in names]

    arn = jobs[1]["TrainingJobArn"]
    work.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "number", "Value": "one"}])
    assert work.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "number", "Value": "one"}]

    pages = work.sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains=prefix, SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 2}
    )
    found = [[job["TrainingJobName"] for job in page["TrainingJobSummaries"]] for page in pages]
    assert found == [names[:2], names[2:]]
    failed = work.sagemaker.list_training_jobs(NameContains=prefix, StatusEquals="Failed")
    (summary,) = failed["TrainingJobSummaries"]
    assert summary["TrainingJobName"] == names[2]
    assert {name: jobs[2][name] for name in summary} == summary


def test_sagemaker_sdk_reads_and_waits(work: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    from sagemaker.core.resources import TrainingJob

    name = work.start(script="print('validation:loss=0.5')")
    for key, value in work.aws.credentials.items():
        monkeypatch.setenv(key, value)
    job = TrainingJob.get(name, session=boto3.Session(), region="us-east-1")
    job.wait(poll=1, logs=True)
    assert job.training_job_status == "Completed"
    assert job.final_metric_data_list[0].value == 0.5
    assert job.model_artifacts.s3_model_artifacts.endswith("/model.tar.gz")
