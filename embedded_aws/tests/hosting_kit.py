"""For tests of hosting: a role, a bucket and small models on a running embedded AWS."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

REGION = "us-east-1"
IMAGE = f"763104351884.dkr.ecr.{REGION}.amazonaws.com/ray:serve-ml-sagemaker-cpu-v1"
ROLE = "arn:aws:iam::123456789012:role/hosting-endpoint"
CHANGING = ("Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting")
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::hosting-models/*"}
LIST = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::hosting-models"}

APP = """
import asyncio, os, time
from fastapi import FastAPI, Request, Response
from ray import serve

VERSION = os.environ.get("VERSION", "1")
asgi = FastAPI()

@asgi.post("/")
async def predict(request: Request):
    body = await request.body()
    if body == b"die":
        os._exit(3)
    if body == b"bad":
        return Response("not a picture", 400)
    if body.startswith(b"grow"):
        taken = [await asyncio.sleep(0.01, b"x" * 2**26) for _ in range(int(body[4:]) // 64)]
    if body.startswith(b"sleep"):
        await asyncio.sleep(float(body[5:]))
    if body.startswith(b"spin"):
        until = time.process_time() + float(body[4:])
        while time.process_time() < until:
            sum(range(1000))
    return {
        "size": len(body), "pid": os.getpid(), "version": VERSION, "folder": os.environ["SM_MODEL_DIR"],
        "headers": dict(request.headers), "aws": sorted(k for k in os.environ if k.startswith("AWS_")),
    }

@serve.deployment(name="app")
@serve.ingress(asgi)
class App:
    def __init__(self, note):
        print("loaded", note, flush=True)

app = App.options(num_replicas=1).bind("the model")
"""


def archive(files: dict[str, str | bytes]) -> bytes:
    """Return a tar.gz of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            content = text if isinstance(text, bytes) else text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Hosting:
    """Creates resources of hosting, and waits for them."""

    def __init__(self, aws):
        self.aws, self.client = aws, aws.client
        self._endpoints: list[str] = []
        self.sagemaker = self.client("sagemaker")
        self.runtime = self.client("sagemaker-runtime")
        self._prepare()

    @staticmethod
    def until(condition, timeout: float = 60.0):
        """Wait until `condition` returns something true, and return it."""
        deadline = time.monotonic() + timeout
        while not (result := condition()):
            assert time.monotonic() < deadline, f"not true within {timeout} s"
            time.sleep(0.05)
        return result

    def _prepare(self) -> None:
        """Create the role, the bucket, and a model.tar.gz."""
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        iam, s3 = self.client("iam"), self.client("s3")
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName="hosting-endpoint", AssumeRolePolicyDocument=document)
        self.allow(READ, LIST)
        s3.create_bucket(Bucket="hosting-models")
        self.put("model.tar.gz", {"code/app.py": APP, "model.json": "{}"})

    def allow(self, *statements: dict) -> None:
        """Replace the permissions of the endpoint's role."""
        self.client("iam").put_role_policy(
            RoleName="hosting-endpoint",
            PolicyName="endpoint",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
        )

    def put(self, key: str, files: dict[str, str | bytes]) -> str:
        self.client("s3").put_object(Bucket="hosting-models", Key=key, Body=archive(files))
        return f"s3://hosting-models/{key}"

    def model(
        self,
        name: str,
        url: str = "s3://hosting-models/model.tar.gz",
        image: str = IMAGE,
        isolated: bool = True,
        **variables: str,
    ) -> str:
        self.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={
                "Image": image,
                "ModelDataUrl": url,
                "Environment": {"SM_RAYSERVE_APP": "app:app", **variables},
            },
            EnableNetworkIsolation=isolated,
        )
        return name

    def config(self, name: str, *variants: dict, **settings) -> str:
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=list(variants), **settings
        )
        return name

    @contextlib.contextmanager
    def load(self, endpoint: str, body: bytes = b"sleep0.02", threads: int = 3):
        """Send requests during the block. Yield the responses so far; raise the first error at the end."""
        over, answers = threading.Event(), []

        def ask() -> None:
            while not over.is_set():
                answers.append(self.ask(endpoint, body))

        with ThreadPoolExecutor(threads) as pool:
            requests = [pool.submit(ask) for _ in range(threads)]
            try:
                yield answers
            finally:
                over.set()
        for request in requests:
            request.result()

    def endpoint(self, name: str, config: str) -> dict:
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        self._endpoints.append(name)
        return self.stable(name)

    def delete_endpoints(self) -> None:
        """Delete the endpoints that `endpoint` has created: their processes would run until the last test."""
        for name in self._endpoints:
            with contextlib.suppress(ClientError):  # a test has deleted it
                self.sagemaker.delete_endpoint(EndpointName=name)

    def restart(self) -> None:
        self.aws.restart()

    def stable(self, name: str) -> dict:
        """Wait until the endpoint's status is final, and return its description."""

        def described():
            answer = self.sagemaker.describe_endpoint(EndpointName=name)
            return answer if answer["EndpointStatus"] not in CHANGING else None

        return self.until(described)

    def metric(self, endpoint: str, name: str, statistic: str = "Sum", **dimensions: str) -> float | None:
        """Return a statistic of a metric; None without data points. dimensions: default to variant AllTraffic."""
        now = datetime.now(timezone.utc)
        named = {"EndpointName": endpoint, **(dimensions or {"VariantName": "AllTraffic"})}
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in named.items() if value],
            StartTime=now - timedelta(hours=2),
            EndTime=now + timedelta(minutes=1),
            Period=86_400,
            Statistics=[statistic],
        )["Datapoints"]
        return max((point[statistic] for point in points), default=None)

    def ask(self, name: str, body: bytes = b"picture", **parameters) -> dict:
        answer = self.runtime.invoke_endpoint(EndpointName=name, Body=body, **parameters)
        return {**json.loads(answer["Body"].read()), "variant": answer["InvokedProductionVariant"]}


def serverless(
    model: str, most: int = 2, memory: int = 1024, name: str = "AllTraffic", **config: int
) -> dict:
    config = {"MemorySizeInMB": memory, "MaxConcurrency": most, **config}
    return {"VariantName": name, "ModelName": model, "ServerlessConfig": config}


def containers(version: str) -> set[int]:
    """Return the processes of containers whose model has this VERSION."""
    found = set()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if f"VERSION={version}".encode() in environment.read_bytes().split(b"\0"):
                found.add(int(environment.parent.name))
    return found


def variant(
    model: str, name: str = "AllTraffic", count: int = 1, weight: float = 1, kind: str = "ml.m5.large"
):
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": kind,
        "InitialInstanceCount": count,
        "InitialVariantWeight": weight,
    }


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """Return the code and the message of the error that a call raises."""
    with pytest.raises(ClientError) as error:
        call(**request)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def validation_error(call: Callable[..., Any], **request: Any) -> str:
    """Return the message of the ValidationException that a call raises."""
    with pytest.raises(ClientError) as error:
        call(**request)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error.value.response["Error"]["Message"]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
