"""Data capture: sampled requests and responses, written to S3 as the model's role, one JSON object per line."""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
import uuid
from datetime import datetime, timezone
from email.message import Message
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.runtime import Runtime
from embedded_aws.s3_uri import split
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey

log = logging.getLogger(__name__)

INTERVAL = 60.0  # seconds of service time between two writes
SIZE = 4 * 2**20  # characters of captured records that trigger a write before the interval ends


class _Destination(NamedTuple):
    endpoint: EndpointKey
    variant: str
    role_arn: str
    uri: str
    kms_key: str


class DataCapture:
    """Collects captured invocations and writes them in batches."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lines: dict[_Destination, list[str]] = {}
        self._changed = threading.Condition()
        self._size = 0

    def start(self) -> None:
        threading.Thread(target=self._run, name="capture", daemon=True).start()

    def _run(self) -> None:
        """Write batches until the process ends. `flush` writes the last batch at shutdown."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                self._changed.wait_for(lambda: self._size >= SIZE, INTERVAL / self._runtime.time_scale)
            self.flush()

    def offer(
        self,
        key: EndpointKey,
        deployment: dict[str, Any],
        variant: dict[str, Any],
        headers: dict[str, str],
        body: bytes,
        response_headers: Message,
        response: bytes,
    ) -> None:
        """Capture an invocation if the deployment captures data and the sample includes it."""
        config = deployment.get("DataCaptureConfig") or {}
        if not config.get("EnableCapture") or random.random() * 100 >= config["InitialSamplingPercentage"]:
            return
        line = json.dumps(captured(config, headers, body, response_headers, response))
        destination = _Destination(
            key,
            variant["VariantName"],
            variant["RoleArn"],
            config["DestinationS3Uri"],
            config.get("KmsKeyId", ""),
        )
        with self._changed:
            self._lines.setdefault(destination, []).append(line)
            self._size += len(line)
            self._changed.notify()

    def flush(self) -> None:
        """Write the collected records. Records that S3 rejects are logged and lost, as on AWS."""
        with self._changed:
            batch, self._lines, self._size = self._lines, {}, 0
        for destination, lines in batch.items():
            try:
                self._write(destination, lines)
            except (ClientError, BotoCoreError, RoleNotAssumable) as error:
                log.warning(
                    "data capture of %s to %s failed: %s", destination.endpoint.name, destination.uri, error
                )

    def _write(self, destination: _Destination, lines: list[str]) -> None:
        key = destination.endpoint
        bucket, prefix = split(destination.uri)
        now = datetime.now(timezone.utc)
        name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        parts = [prefix.strip("/"), key.name, destination.variant, f"{now:%Y/%m/%d/%H}", name]
        kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": destination.kms_key}
        roles.client(self._runtime, "s3", destination.role_arn, key.region).put_object(
            Bucket=bucket,
            Key="/".join(filter(None, parts)),
            Body="\n".join(lines).encode() + b"\n",
            ContentType="application/jsonlines",
            **(kms if destination.kms_key else {}),
        )


def captured(
    config: dict[str, Any], headers: dict[str, str], body: bytes, response_headers: Message, response: bytes
) -> dict[str, Any]:
    """Return the record of one invocation in AWS's format."""
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    both = "InputAndOutput" in modes
    data = {}
    if both or "Input" in modes:
        data["endpointInput"] = _content(config, headers.get("Content-Type", ""), "INPUT", body)
    if both or "Output" in modes:
        data["endpointOutput"] = _content(
            config, response_headers.get("Content-Type", ""), "OUTPUT", response
        )
    now = datetime.now(timezone.utc)
    event: dict[str, Any] = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    if attributes := headers.get("X-Amzn-SageMaker-Custom-Attributes"):
        event["customAttributes"] = [attributes]
    if inference := headers.get("X-Amzn-SageMaker-Inference-Id"):
        event["inferenceId"] = inference
    return {"captureData": data, "eventMetadata": event, "eventVersion": "0"}


def _content(config: dict[str, Any], content_type: str, mode: str, content: bytes) -> dict[str, str]:
    """Encode content as text if the configuration lists its content type, otherwise as base64."""
    listed = config.get("CaptureContentTypeHeader", {})
    media_type = content_type.partition(";")[0].strip()
    encoding = "BASE64"
    for name, types in (("CSV", "CsvContentTypes"), ("JSON", "JsonContentTypes")):
        if media_type in listed.get(types, []):
            encoding = name
    text = base64.b64encode(content).decode() if encoding == "BASE64" else content.decode(errors="replace")
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}
