"""Data capture: sampled requests and answers, written to S3 as the model's role, one JSON object per line."""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
import uuid
from datetime import datetime, timezone
from email.message import Message
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws import runtime
from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.services.sagemaker.hosting.live import Key
from embedded_aws.services.sagemaker.hosting.models import PRINCIPAL

log = logging.getLogger(__name__)

INTERVAL = 60.0  # of the service's seconds that records are gathered into one object
SIZE = 4 * 2**20  # characters of a variant's records that are written at once

_Target = tuple[Key, str, str, str, str]  # endpoint, variant, role, destination, KMS key


class Captures:
    """Gathers records; a thread writes them, and sleeps while there are none."""

    def __init__(self) -> None:
        self._lines: dict[_Target, list[str]] = {}
        self._waiting = threading.Condition()
        self._size = 0

    def run(self) -> None:
        """For a thread that ends with the process; what is left when the embedded AWS stops is for `flush`."""
        current = runtime.current()
        while True:
            with self._waiting:
                self._waiting.wait_for(lambda: self._lines)
                self._waiting.wait_for(lambda: self._size >= SIZE, INTERVAL / current.time_scale)
            self.flush()

    def offer(
        self,
        key: Key,
        deployment: dict[str, Any],
        variant: dict[str, Any],
        headers: dict[str, str],
        body: bytes,
        answer_headers: Message,
        answer: bytes,
    ) -> None:
        """Keep an invocation, if the deployment captures and the sampling hits it."""
        config = deployment.get("DataCaptureConfig") or {}
        if not config.get("EnableCapture") or random.random() * 100 >= config["InitialSamplingPercentage"]:
            return
        line = json.dumps(record(config, headers, body, answer_headers, answer))
        target = (
            key,
            variant["VariantName"],
            variant["RoleArn"],
            config["DestinationS3Uri"],
            config.get("KmsKeyId", ""),
        )
        with self._waiting:
            self._lines.setdefault(target, []).append(line)
            self._size += len(line)
            self._waiting.notify()

    def flush(self) -> None:
        """Write what has been gathered. What S3 refuses is lost, as on AWS; the log says so."""
        with self._waiting:
            gathered, self._lines, self._size = self._lines, {}, 0
        for (key, variant, role, destination, kms_key), lines in gathered.items():
            bucket, _, prefix = destination.removeprefix("s3://").partition("/")
            now = datetime.now(timezone.utc)
            name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
            parts = [prefix.strip("/"), key[2], variant, f"{now:%Y/%m/%d/%H}", name]
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
            try:
                s3 = runtime.current().client("s3", role, PRINCIPAL, key[1], "SageMaker")
                s3.put_object(
                    Bucket=bucket,
                    Key="/".join(filter(None, parts)),
                    Body="\n".join(lines).encode() + b"\n",
                    ContentType="application/jsonlines",
                    **encryption,
                )
            except (ClientError, BotoCoreError, RoleNotAssumable) as error:
                log.warning("data capture of %s to %s failed: %s", key[2], destination, error)


def record(
    config: dict[str, Any], headers: dict[str, str], body: bytes, answer_headers: Message, answer: bytes
) -> dict[str, Any]:
    """One invocation, in AWS's form."""
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    both = "InputAndOutput" in modes
    data = {}
    if both or "Input" in modes:
        data["endpointInput"] = _side(config, headers.get("Content-Type", ""), "INPUT", body)
    if both or "Output" in modes:
        data["endpointOutput"] = _side(config, answer_headers.get("Content-Type", ""), "OUTPUT", answer)
    now = datetime.now(timezone.utc)
    event = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    if attributes := headers.get("X-Amzn-SageMaker-Custom-Attributes"):
        event["customAttributes"] = [attributes]  # type: ignore[assignment]
    if inference := headers.get("X-Amzn-SageMaker-Inference-Id"):
        event["inferenceId"] = inference
    return {"captureData": data, "eventMetadata": event, "eventVersion": "0"}


def _side(config: dict[str, Any], content_type: str, mode: str, content: bytes) -> dict[str, str]:
    """Text where the configuration names the content type, base64 elsewhere."""
    known = config.get("CaptureContentTypeHeader", {})
    bare = content_type.partition(";")[0].strip()
    encoding = "BASE64"
    for name, types in (("CSV", "CsvContentTypes"), ("JSON", "JsonContentTypes")):
        if bare in known.get(types, []):
            encoding = name
    text = base64.b64encode(content).decode() if encoding == "BASE64" else content.decode(errors="replace")
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}


captures = Captures()
