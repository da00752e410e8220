"""ARNs and condition keys of calls, for services where the service authorization reference is not enough."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from moto.core.utils import get_service_model
from moto.kms.models import kms_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import ec2, sagemaker
from embedded_aws.iam.principals import iam
from embedded_aws.iam.request import Call


def resources(call: Call) -> list[str] | None:
    """Return the ARNs that a call is on. None: use the reference. Empty: the call names no resource."""
    find = _RESOURCES.get(call.prefix)
    return find(call) if find else None


def keys(call: Call) -> dict[str, Any]:
    """Return the condition keys, lower case, that a service defines for a call. Values can be None or empty."""
    find = _KEYS.get(call.prefix)
    return find(call) if find else {}


def _arn(call: Call, service: str, resource: str) -> str:
    return f"arn:aws:{service}:{call.region}:{ACCOUNT_ID}:{resource}"


def _lambda(call: Call) -> list[str] | None:
    """Return function:NAME, with the qualifier if the call has one."""
    name = call.parameter("FunctionName")
    if not isinstance(name, str):
        return None
    if name.startswith("arn:"):
        name = name.split(":function:", 1)[-1]
    elif ":function:" in name:  # ACCOUNT:function:NAME
        name = name.split(":function:", 1)[1]
    name, _, qualifier = name.partition(":")
    qualifier = call.parameter("Qualifier") or qualifier
    return [_arn(call, "lambda", f"function:{name}" + (f":{qualifier}" if qualifier else ""))]


def _logs(call: Call) -> list[str] | None:
    """Return log-group:NAME:log-stream:STREAM, as CloudWatch Logs does for all operations but tagging."""
    if call.operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        return None
    if call.operation == "DescribeLogGroups":
        return [_arn(call, "logs", "log-group::log-stream:")]
    groups = [call.parameter("logGroupName") or call.parameter("logGroupIdentifier")]
    if not groups[0]:
        groups = call.parameter("logGroupNames") or call.parameter("logGroupIdentifiers") or []
    stream = call.parameter("logStreamName") or ""
    names = [g.split(":log-group:", 1)[-1].removesuffix(":*") for g in groups]
    return [_arn(call, "logs", f"log-group:{name}:log-stream:{stream}") for name in names] or None


def _ssm(call: Call) -> list[str] | None:
    """Return parameter/NAME: the leading slash of a name is part of the ARN."""
    if not call.operation.endswith(("Parameter", "Parameters", "ParametersByPath", "ParameterHistory")):
        if call.parameter("ResourceType") == "Parameter":
            return [_parameter(call, call.parameter("ResourceId") or "*")]
        return None
    names = [call.parameter("Name") or call.parameter("Path")]
    names = names if names[0] else call.parameter("Names") or []
    return [_parameter(call, name) for name in names] or None


def _parameter(call: Call, name: str) -> str:
    if name.startswith("arn:"):
        return name
    path = name.split(":")[0].strip("/") if name != "*" else name
    if path.startswith("aws/service/"):  # public parameters belong to no account
        return f"arn:aws:ssm:{call.region}::parameter/{path}"
    return _arn(call, "ssm", f"parameter/{path}")


def _kms(call: Call) -> list[str] | None:
    """Return keys by ID, ARN or alias. Operations on an alias need permission on alias and key."""
    name = call.parameter("KeyId") or call.parameter("TargetKeyId")
    alias = call.parameter("AliasName")
    if call.operation in ("Decrypt", "ReEncrypt") and not name:
        name = _key_of_ciphertext(call.parameter("CiphertextBlob"))
    found = [_arn(call, "kms", alias)] if alias else []
    if name or call.operation == "DeleteAlias":
        found.append(kms_key_arn(name or alias, call.region))
    return found or None


def _key_of_ciphertext(blob: Any) -> str | None:
    """Return the key ID that moto's ciphertexts begin with."""
    return blob[:36].decode("ascii", "replace") if isinstance(blob, bytes) and len(blob) > 36 else None


def kms_key_arn(name: str, region: str) -> str:
    """Return the ARN of a KMS key given by ID, ARN or alias."""
    if name.startswith("arn:") and ":key/" in name:
        return name
    backend = kms_backends[ACCOUNT_ID][region]
    if "alias/" in name:
        alias = name.split(":")[-1]
        name = next((key.id for key in backend.keys.values() if alias in key.aliases), alias)
    return f"arn:aws:kms:{region}:{ACCOUNT_ID}:key/{name}"


def _iam(call: Call) -> list[str] | None:
    """Return ARNs with the path of the existing entity, or of the entity to create."""
    path = call.parameter("Path") or "/"
    entities = (
        ("RoleName", "role", lambda: iam().roles.values()),
        ("UserName", "user", lambda: iam().users.values()),
        ("InstanceProfileName", "instance-profile", lambda: iam().instance_profiles.values()),
        ("GroupName", "group", lambda: iam().groups.values()),
        ("PolicyName", "policy", None),
    )
    if call.parameter("PolicyArn") and not any(call.parameter(n) for n, _, _ in entities[:4]):
        return [call.parameter("PolicyArn")]
    profile = call.operation.endswith("InstanceProfile")  # the operation is on the profile, not on its role
    for parameter, kind, existing in entities:
        name = call.parameter(parameter)
        if name and not (profile and kind == "role"):
            arn = next((e.arn for e in existing() if e.name == name), None) if existing else None
            return [arn or f"arn:aws:iam::{ACCOUNT_ID}:{kind}{path}{name}"]
    return None


def _sts(call: Call) -> list[str] | None:
    return [call.parameter("RoleArn")] if call.parameter("RoleArn") else None


def _sqs(call: Call) -> list[str] | None:
    url = call.parameter("QueueUrl") or call.parameter("QueueName")
    return [_arn(call, "sqs", url.rstrip("/").rsplit("/", 1)[-1])] if url else None


def _sns(call: Call) -> list[str] | None:
    topic = call.parameter("TopicArn") or call.parameter("TargetArn") or call.parameter("ResourceArn")
    if topic:
        return [topic]
    if call.parameter("SubscriptionArn"):
        return [call.parameter("SubscriptionArn").rsplit(":", 1)[0]]
    return [_arn(call, "sns", call.parameter("Name"))] if call.parameter("Name") else None


def _events(call: Call) -> list[str] | None:
    """Return a rule of the default bus or another."""
    name = call.parameter("Rule") or (call.parameter("Name") if call.operation.endswith("Rule") else None)
    bus = (call.parameter("EventBusName") or "default").rpartition("/")[2]
    if not name:
        return None
    return [_arn(call, "events", f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}")]


def _file_systems(call: Call) -> list[str] | None:
    """Return all file systems for a call that names none."""
    if call.operation == "DescribeFileSystems" and not call.parameter("FileSystemId"):
        return [_arn(call, "elasticfilesystem", "file-system/*")]
    return None


def http(call: Call) -> dict[str, Any]:
    """Return HTTP method and URI of an operation of a REST API."""
    found: dict[str, Any] = get_service_model(call.model).operation_model(call.operation).http
    return found


def _apigateway(call: Call) -> list[str] | None:
    """Return the URI without the API's version: it is the resource."""
    values = {
        name.lower(): quote(value, safe="$")
        for name, value in call.parameters.items()
        if isinstance(value, str)
    }
    uri = http(call)["requestUri"].removeprefix("/v2").split("?")[0]
    filled = re.sub(r"\{([\w-]+)\+?\}", lambda found: values.get(found[1].replace("-", "").lower(), "*"), uri)
    return [f"arn:aws:apigateway:{call.region}::{filled}"]


def _autoscaling(call: Call) -> list[str] | None:
    """Return all scalable targets: AWS chooses their IDs."""
    if call.parameter("ResourceARN"):
        return [call.parameter("ResourceARN")]
    if call.operation.startswith("Describe"):
        return None
    return [_arn(call, "application-autoscaling", "scalable-target/*")]


def _kms_keys(call: Call) -> dict[str, Any]:
    pairs = call.parameter("EncryptionContext") or {}
    keys = {f"kms:encryptioncontext:{key.lower()}": value for key, value in pairs.items()}
    return keys | {"kms:encryptioncontextkeys": list(pairs), "kms:callerAccount".lower(): ACCOUNT_ID}


_RESOURCES: dict[str, Callable[[Call], list[str] | None]] = {
    "apigateway": _apigateway,
    "application-autoscaling": _autoscaling,
    "ec2": ec2.resources,
    "elasticfilesystem": _file_systems,
    "events": _events,
    "iam": _iam,
    "kms": _kms,
    "lambda": _lambda,
    "logs": _logs,
    "sagemaker": sagemaker.resources,
    "sns": _sns,
    "sqs": _sqs,
    "ssm": _ssm,
    "sts": _sts,
}
_KEYS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "application-autoscaling": lambda call: {
        "application-autoscaling:service-namespace": call.parameter("ServiceNamespace"),
        "application-autoscaling:scalable-dimension": call.parameter("ScalableDimension"),
    },
    "cloudwatch": lambda call: {"cloudwatch:namespace": call.parameter("Namespace")},
    "iam": lambda call: {
        "iam:policyarn": call.parameter("PolicyArn"),
        "iam:permissionsboundary": call.parameter("PermissionsBoundary"),
        "iam:awsservicename": call.parameter("AWSServiceName"),
    },
    "kms": _kms_keys,
    "lambda": lambda call: {
        "lambda:functionarn": call.parameter("FunctionName"),
        "lambda:principal": call.parameter("Principal"),
    },
    "sagemaker": sagemaker.keys,
    "sts": lambda call: {
        "sts:externalid": call.parameter("ExternalId"),
        "sts:rolesessionname": call.parameter("RoleSessionName"),
    },
}
