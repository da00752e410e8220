"""A bad model takes all traffic: it passes the checks of its deployment, and then fails every request."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.s3 import S3Uri
from pipeline.answers import SMOKE_IMAGES
from pipeline.faults.case import Case, References, Unexpected, require
from pipeline.faults.command import Command
from pipeline.faults.lab import Lab
from pipeline.faults.stages import DEPLOY, ROLLBACK, Stage

_GOOD_REQUESTS = SMOKE_IMAGES + 1  # it passes the smoke predictions of its deployment
_SERVICE = "code/service.py"
_FIRST_LINE = "    content_type = request.headers"
_BROKEN = f"""    request.app.state.count = getattr(request.app.state, "count", 0) + 1
    if request.app.state.count > {_GOOD_REQUESTS}:
        raise RuntimeError("a fault of the laboratory")
"""
_ALARM_SECONDS = 300.0
_POLL = 0.2


@dataclass(frozen=True, kw_only=True)
class BadModel(Case):
    """Version 2 is bad and in service under constant load. The repair must work while the alarm is on.

    repair_with: the command that repairs it.
    """

    repair_with: tuple[str, ...]

    def disturb(self, lab: Lab, references: References) -> str:
        _register_bad(lab)
        require(lab.start("deploy", "--model", "2"), fails=False)
        with _load(lab):
            _wait_for_alarm(lab)
            require(lab.start(*self.repair_with), fails=False, words="version 1")
        return "(the command itself succeeds, while the alarm is on)"

    def again(self, lab: Lab) -> Command:
        return lab.run("predict")

    def problems(self, lab: Lab, references: References) -> list[str]:
        """Return what differs from: version 1 in service, and nothing to change."""
        env = lab.env
        name = env.client("sagemaker").describe_endpoint(EndpointName=env.settings.prefix)[
            "EndpointConfigName"
        ]
        variants = env.client("sagemaker").describe_endpoint_config(EndpointConfigName=name)[
            "ProductionVariants"
        ]
        model = env.client("sagemaker").describe_model(ModelName=variants[0]["ModelName"])
        containers = model.get("Containers") or [model["PrimaryContainer"]]
        found = [] if "/1" in str(containers[0].get("ModelPackageName")) else [f"in service: {containers[0]}"]
        planned = lab.run("plan", "--model", "1")
        if planned.wait() or any(planned.json.values()):
            found.append(f"{planned.title} is not empty: {planned.json}")
        return found


def _register_bad(lab: Lab) -> None:
    """Register version 2: version 1 whose service fails after a few requests."""
    sagemaker, s3 = lab.env.client("sagemaker"), lab.env.client("s3")
    (summary,) = sagemaker.list_model_packages(ModelPackageGroupName=lab.settings.prefix)[
        "ModelPackageSummaryList"
    ]
    package = sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
    container = package["InferenceSpecification"]["Containers"][0]
    place = S3Uri.parse(container["ModelDataUrl"])
    bad = _broken(s3.get_object(Bucket=place.bucket, Key=place.key)["Body"].read())
    key = f"{place.key.rpartition('/')[0]}/bad/model.tar.gz"
    s3.put_object(Bucket=place.bucket, Key=key, Body=bad)
    wanted = (
        "ModelPackageGroupName",
        "InferenceSpecification",
        "ModelApprovalStatus",
        "CustomerMetadataProperties",
        "ModelMetrics",
    )
    request = {name: package[name] for name in wanted if name in package}
    request["InferenceSpecification"]["Containers"] = [
        {"Image": container["Image"], "ModelDataUrl": f"s3://{place.bucket}/{key}", **_optional(container)}
    ]
    sagemaker.create_model_package(**request)


def _optional(container: dict[str, Any]) -> dict[str, Any]:
    return {
        name: container[name]
        for name in ("Environment", "Framework", "FrameworkVersion")
        if name in container
    }


def _broken(artifact: bytes) -> bytes:
    """Return a model artifact whose service fails after a few requests."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(artifact)) as old, tarfile.open(fileobj=packed, mode="w:gz") as new:
        for member in old:
            content = old.extractfile(member)
            data = content.read() if content else b""
            if member.name.removeprefix("./") == _SERVICE:
                data = data.replace(_FIRST_LINE.encode(), (_BROKEN + _FIRST_LINE).encode(), 1)
                member.size = len(data)
            new.addfile(member, io.BytesIO(data) if content else None)
    return packed.getvalue()


@contextmanager
def _load(lab: Lab) -> Iterator[None]:
    """Invoke the endpoint all the time."""
    runtime, ended = (
        lab.env.session.client("sagemaker-runtime", region_name=lab.settings.region),
        threading.Event(),
    )
    image = _image(lab)

    def invoke() -> None:
        while not ended.wait(_POLL):
            try:
                runtime.invoke_endpoint(EndpointName=lab.settings.prefix, Body=image, ContentType="image/png")
            except (ClientError, BotoCoreError):
                continue  # what a bad model answers

    caller = threading.Thread(target=invoke, daemon=True)
    caller.start()
    try:
        yield
    finally:
        ended.set()
        caller.join()


def _image(lab: Lab) -> bytes:
    s3, bucket = lab.env.client("s3"), lab.env.data_bucket
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="datasets/")["Contents"]
    key = next(item["Key"] for item in listed if item["Key"].endswith(".png"))
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def _wait_for_alarm(lab: Lab) -> None:
    """Wait until an alarm of the endpoint is on. Raises Unexpected."""
    cloudwatch, deadline = lab.env.client("cloudwatch"), time.monotonic() + _ALARM_SECONDS
    while time.monotonic() < deadline:
        if cloudwatch.describe_alarms(AlarmNamePrefix=lab.settings.prefix, StateValue="ALARM")[
            "MetricAlarms"
        ]:
            return
        time.sleep(1)
    raise Unexpected(f"No alarm was on after {_ALARM_SECONDS:.0f} s of failed requests.")


def cases() -> list[Case]:
    """Return every repair."""
    good = Stage("deploy", ("deploy", "--model", "1"))
    return [
        BadModel(
            fault="a bad model serves, under load",
            stage=stage,
            start=DEPLOY,
            end=DEPLOY,
            repair_with=stage.command,
        )
        for stage in (ROLLBACK, good)
    ]
