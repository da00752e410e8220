"""The folders and configuration files of a processing container.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from embedded_aws.services.sagemaker.training.cluster import GROUP_NAME, Instance
from embedded_aws.services.sagemaker.training.disk import BASE, Disk

FOLDER = f"{BASE}/processing"  # of inputs and outputs
MESSAGE = "output/message"  # below /opt/ml; becomes the job's ExitMessage
MESSAGE_BYTES = 1024  # of ExitMessage
_FOLDERS = ("config", "output", "processing")


def create(root: Path, home: Path, isolated: bool) -> Disk:
    """Create the folders of an instance. The arguments are those of Disk."""
    return Disk(root, home, isolated, _FOLDERS, report=MESSAGE)


def configure(instance: Instance, request: dict[str, Any], arn: str, hosts: list[str]) -> None:
    """Write processingjobconfig.json and resourceconfig.json, and create the folders of the outputs."""
    kind = request["ProcessingResources"]["ClusterConfig"]["InstanceType"]
    resources = {
        "current_host": instance.host,
        "current_instance_type": kind,
        "current_group_name": GROUP_NAME,
        "hosts": hosts,
        "instance_groups": [{"instance_group_name": GROUP_NAME, "instance_type": kind, "hosts": hosts}],
    }
    job = {"ProcessingJobArn": arn, **{name: value for name, value in request.items() if name != "Tags"}}
    for name, content in (("processingjobconfig", job), ("resourceconfig", resources)):
        path = instance.base / "config" / f"{name}.json"
        path.write_text(json.dumps(content, default=str), encoding="utf-8")
    for output in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
        instance.disk.path(output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)


def exit_message(instances: list[Instance]) -> str | None:
    """Return the first KiB of what a program wrote to /opt/ml/output/message, of the first instance that did."""
    for instance in instances:
        path = instance.base / MESSAGE
        if path.is_file() and (content := path.read_bytes()):
            return content[:MESSAGE_BYTES].decode("utf-8", "ignore")
    return None
