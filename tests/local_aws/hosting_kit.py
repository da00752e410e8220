"""An embedded AWS of its own, with a role, a bucket and small models to serve: for the tests of hosting."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3

REGION = "us-east-1"
IMAGE = f"763104351884.dkr.ecr.{REGION}.amazonaws.com/ray:serve-ml-sagemaker-cpu-v1"
ROLE = "arn:aws:iam::123456789012:role/endpoint"
SETTLING = ("Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting")
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models/*"}
LIST = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::models"}

APP = """
import asyncio, os
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
    if body.startswith(b"sleep"):
        await asyncio.sleep(float(body[5:]))
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


def archive(files: dict[str, str]) -> bytes:
    """A tar.gz of text files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


class Cloud:
    """The running embedded AWS and what the tests do with it."""

    def __init__(self, home: Path, time_scale: float):
        self.home, self.time_scale = home, time_scale
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()
        self.sagemaker = self.client("sagemaker")
        self.runtime = self.client("sagemaker-runtime")

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "local_aws",
            "serve",
            "--home",
            str(self.home),
            "--port",
            str(self.port),
        ]
        with open(self.home / "test.log", "ab") as log:
            self.process = subprocess.Popen(
                [*command, "--time-scale", str(self.time_scale)], stdout=log, stderr=log
            )
        self.until(self._answers)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.home / "test.log").read_text()[-3000:]
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def client(self, name: str):
        keys = json.loads((self.home / "credentials.json").read_text())
        return boto3.client(
            name,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            **{key.lower(): value for key, value in keys.items() if key.lower().startswith("aws_")},
        )

    @staticmethod
    def until(condition, timeout: float = 60.0):
        """What `condition` returns, once that is true."""
        deadline = time.monotonic() + timeout
        while not (result := condition()):
            assert time.monotonic() < deadline, f"still not after {timeout} s"
            time.sleep(0.05)
        return result

    def prepare(self) -> None:
        """The role, the bucket, and a model.tar.gz."""
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        iam, s3 = self.client("iam"), self.client("s3")
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName="endpoint", AssumeRolePolicyDocument=document)
        self.allow(READ, LIST)
        s3.create_bucket(Bucket="models")
        self.put("model.tar.gz", {"code/app.py": APP, "model.json": "{}"})

    def allow(self, *statements: dict) -> None:
        """Make these the permissions of the endpoint's role."""
        self.client("iam").put_role_policy(
            RoleName="endpoint",
            PolicyName="endpoint",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
        )

    def put(self, key: str, files: dict[str, str]) -> str:
        self.client("s3").put_object(Bucket="models", Key=key, Body=archive(files))
        return f"s3://models/{key}"

    def model(
        self, name: str, url: str = "s3://models/model.tar.gz", image: str = IMAGE, **variables: str
    ) -> str:
        self.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={
                "Image": image,
                "ModelDataUrl": url,
                "Environment": {"SM_RAYSERVE_APP": "app:app", **variables},
            },
            EnableNetworkIsolation=True,
        )
        return name

    def config(self, name: str, *variants: dict, **settings) -> str:
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=list(variants), **settings
        )
        return name

    def endpoint(self, name: str, config: str) -> dict:
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        return self.settled(name)

    def settled(self, name: str) -> dict:
        """DescribeEndpoint, once nothing is under way."""

        def described():
            answer = self.sagemaker.describe_endpoint(EndpointName=name)
            return answer if answer["EndpointStatus"] not in SETTLING else None

        return self.until(described)

    def ask(self, name: str, body: bytes = b"picture", **parameters) -> dict:
        answer = self.runtime.invoke_endpoint(EndpointName=name, Body=body, **parameters)
        return {**json.loads(answer["Body"].read()), "variant": answer["InvokedProductionVariant"]}


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


@contextlib.contextmanager
def cloud(home: Path, time_scale: float = 1.0) -> Iterator[Cloud]:
    running = Cloud(home, time_scale)
    try:
        running.prepare()
        yield running
    finally:
        running.stop()
