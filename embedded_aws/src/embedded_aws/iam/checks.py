"""What an API call needs: the IAM actions, the resources they are on, and the condition keys of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from moto.core.utils import get_service_model
from moto.kms.models import kms_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import definitions, launch, network, sagemaker, tagging
from embedded_aws.iam.principals import iam
from embedded_aws.iam.request import Call


@dataclass(frozen=True)
class Check:
    """One permission a call needs. context: condition keys (lower case) beside those of every call."""

    action: str
    resource: str
    context: dict[str, Any] = field(default_factory=dict)


# Operations whose IAM action has another name.
_ACTIONS = {
    "lambda": {
        "Invoke": "InvokeFunction",
        "InvokeWithResponseStream": "InvokeFunction",
        "GetLayerVersionByArn": "GetLayerVersion",
    },
    "budgets": {
        **dict.fromkeys(("CreateBudget", "UpdateBudget", "DeleteBudget"), "ModifyBudget"),
        **dict.fromkeys(("CreateNotification", "UpdateNotification", "DeleteNotification"), "ModifyBudget"),
        **dict.fromkeys(("CreateSubscriber", "UpdateSubscriber", "DeleteSubscriber"), "ModifyBudget"),
        **dict.fromkeys(("DescribeBudget", "DescribeBudgets"), "ViewBudget"),
        **dict.fromkeys(
            ("DescribeNotificationsForBudget", "DescribeSubscribersForNotification"), "ViewBudget"
        ),
    },
    "sagemaker": {
        "BatchPutMetrics": "BatchPutMetrics",
        "InvokeEndpointWithResponseStream": "InvokeEndpointWithResponseStream",
    },
}
# Who receives a passed role, where it is not <prefix>.amazonaws.com.
_PASSED_TO = {"ec2:CreateFlowLogs": "vpc-flow-logs.amazonaws.com"}
# Hand over a role, though the reference does not list iam:PassRole for them.
_PASSING = {
    "lambda:UpdateFunctionConfiguration",
    "sagemaker:UpdateDomain",
    "sagemaker:UpdateNotebookInstance",
    "sagemaker:UpdateUserProfile",
}
_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/.+")


def action_of(call: Call) -> str:
    """The IAM action of a call, e.g. "lambda:InvokeFunction"."""
    if call.prefix == "apigateway":  # one per HTTP method
        return f"apigateway:{_http(call)['method']}"
    name = _ACTIONS.get(call.prefix, {}).get(call.operation, call.operation)
    known = definitions.action(call.prefix, name)
    return f"{call.prefix}:{known.name if known else name}"


def checks_of(call: Call) -> list[Check]:
    """Every permission that a call needs, S3 apart."""
    action = action_of(call)
    context = _request_keys(call)
    if action == "ec2:RunInstances":
        needed = [Check(action, resource, keys) for resource, keys in launch.resources(call)]
    else:
        needed = [Check(action, resource, context) for resource in _resources(call, action)]
    tag = tagging.action_of(call)
    needed += [
        Check(tag, arn, context) for arn in tagging.resources_of(call, [c.resource for c in needed]) if tag
    ]
    known = definitions.action(call.prefix, action.partition(":")[2])
    if (known and known.passes_role) or action in _PASSING:
        needed += [
            Check(
                "iam:PassRole",
                arn,
                {"iam:passedtoservice": _PASSED_TO.get(action, f"{call.prefix}.amazonaws.com")},
            )
            for arn in sorted(_passed_roles(call.parameters))
        ]
    if call.prefix == "ec2":
        needed += [
            Check("ec2:CreateTags", arn, keys) for arn, keys in network.created_with_tags(call).items()
        ]
    if action == "iam:AddRoleToInstanceProfile":
        role = next((r.arn for r in iam().roles.values() if r.name == call.parameter("RoleName")), None)
        needed += [Check("iam:PassRole", role, {"iam:passedtoservice": "ec2.amazonaws.com"})] if role else []
    return needed


def _arn(call: Call, service: str, resource: str) -> str:
    return f"arn:aws:{service}:{call.region}:{ACCOUNT_ID}:{resource}"


def _resources(call: Call, action: str) -> list[str]:
    special = _SPECIAL.get(call.prefix)
    found = special(call) if special else None
    return _by_reference(call, action) if found is None else (found or ["*"])


def _by_reference(call: Call, action: str) -> list[str]:
    """ARNs by the service authorization reference, placeholders filled from parameters of the same name.

    A required resource that the call does not name (it will be created, or all of them are meant) is asked for with
    a wildcard; an optional one is left out.
    """
    known = definitions.action(call.prefix, action.partition(":")[2])
    values = {name.lower(): value for name, value in call.parameters.items()}
    arns = [v for v in _strings(values.values()) if v.startswith("arn:")]
    found: list[str] = []
    for resource in known.resources if known else ():
        template = resource.arn.replace("${Partition}", "aws").replace("${Region}", call.region)
        template = template.replace("${Account}", ACCOUNT_ID)
        pattern = re.compile(re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(template)))
        given = [arn for arn in arns if pattern.fullmatch(arn)]
        if given:
            found += given
            continue
        filled = [template]
        for name in resource.placeholders:
            fillings = _values_of(name, values) or (["*"] if resource.required else [])
            filled = [t.replace(f"${{{name}}}", value) for t in filled for value in fillings]
        found += filled
    return list(dict.fromkeys(found)) or ["*"]


def _values_of(placeholder: str, values: dict[str, Any]) -> list[str]:
    """The values of the parameter that a placeholder means, by name, by its plural, or without "WithPath"."""
    name = placeholder.lower().removesuffix("withpath")
    for candidate in (name, f"{name}s", name.removesuffix("name"), name.removesuffix("id")):
        value = values.get(candidate)
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
            return value
    return []


def _strings(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (v for v in value if isinstance(v, str))


def _passed_roles(value: Any) -> set[str]:
    """Role ARNs anywhere in the parameters; an instance profile stands for its role."""
    if isinstance(value, str):
        return {value} if _ROLE_ARN.fullmatch(value) else set()
    if isinstance(value, dict):
        found: set[str] = set()
        for key, inner in value.items():
            if key == "IamInstanceProfile" and isinstance(inner, dict):
                found |= _profile_roles(inner)
            elif not (key.lower().endswith("arn") or "role" in key.lower()) and isinstance(inner, str):
                continue  # a role's ARN in an environment variable or a tag is not passed
            else:
                found |= _passed_roles(inner)
        return found
    return set().union(*map(_passed_roles, value)) if isinstance(value, list) else set()


def _profile_roles(profile: dict[str, str]) -> set[str]:
    for known in iam().instance_profiles.values():
        if known.name == profile.get("Name") or known.arn == profile.get("Arn"):
            return {role.arn for role in known.roles}
    return set()


def _request_keys(call: Call) -> dict[str, Any]:
    """Condition keys taken from the parameters: request tags and the keys that services define."""
    values: dict[str, Any] = {}
    tags = call.parameter("Tags") or call.parameter("tags")
    if isinstance(tags, list):
        pairs = (t for t in tags if isinstance(t, dict))
        tags = {
            t.get("Key", t.get("TagKey")): t.get("Value", t.get("TagValue", "")) for t in pairs
        }  # KMS: TagKey
    if isinstance(tags, dict) and tags:
        values |= {f"aws:requesttag/{key.lower()}": str(value) for key, value in tags.items()}
        values["aws:tagkeys"] = list(tags)
    if call.prefix == "ec2":
        values |= network.request_tags(call)
    keys = _KEYS.get(call.prefix)
    return values | {
        name: value for name, value in (keys(call) if keys else {}).items() if value not in (None, [])
    }


# --- services whose ARNs or keys the reference alone does not give ---


def _lambda(call: Call) -> list[str] | None:
    """function:NAME, with the qualifier where one is asked for."""
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
    """CloudWatch Logs asks for log-group:NAME:log-stream:STREAM throughout, but for tags for the bare group."""
    if call.operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        return None
    if call.operation == "DescribeLogGroups":
        return [_arn(call, "logs", "log-group::log-stream:")]
    groups = [call.parameter("logGroupName") or call.parameter("logGroupIdentifier")]
    groups = (
        groups
        if groups[0]
        else call.parameter("logGroupNames") or call.parameter("logGroupIdentifiers") or []
    )
    stream = call.parameter("logStreamName") or ""
    names = [g.split(":log-group:", 1)[-1].removesuffix(":*") for g in groups]
    return [_arn(call, "logs", f"log-group:{name}:log-stream:{stream}") for name in names] or None


def _ssm(call: Call) -> list[str] | None:
    """Parameters: a name's leading slash is the ARN's."""
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
    if path.startswith("aws/service/"):  # AWS's own, of no account
        return f"arn:aws:ssm:{call.region}::parameter/{path}"
    return _arn(call, "ssm", f"parameter/{path}")


def _kms(call: Call) -> list[str] | None:
    """Keys by ID, ARN or alias; creating and deleting an alias is asked for on both."""
    name = call.parameter("KeyId") or call.parameter("TargetKeyId")
    alias = call.parameter("AliasName")
    if call.operation in ("Decrypt", "ReEncrypt") and not name:
        name = _key_of_ciphertext(call.parameter("CiphertextBlob"))
    found = [_arn(call, "kms", alias)] if alias else []
    if name or call.operation == "DeleteAlias":
        found.append(kms_key_arn(name or alias, call.region))
    return found or None


def _key_of_ciphertext(blob: Any) -> str | None:
    """moto's ciphertexts begin with the key's ID."""
    return blob[:36].decode("ascii", "replace") if isinstance(blob, bytes) and len(blob) > 36 else None


def kms_key_arn(name: str, region: str) -> str:
    """The ARN of a KMS key given by ID, ARN or alias."""
    if name.startswith("arn:") and ":key/" in name:
        return name
    backend = kms_backends[ACCOUNT_ID][region]
    if "alias/" in name:
        alias = name.split(":")[-1]
        name = next((key.id for key in backend.keys.values() if alias in key.aliases), alias)
    return f"arn:aws:kms:{region}:{ACCOUNT_ID}:key/{name}"


def _iam(call: Call) -> list[str] | None:
    """Names have paths: of the existing entity, or of the one to be created."""
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
    profile = call.operation.endswith("InstanceProfile")  # what happens to it, not to the role in it
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
    """A rule, of the default bus or another."""
    name = call.parameter("Rule") or (call.parameter("Name") if call.operation.endswith("Rule") else None)
    bus = (call.parameter("EventBusName") or "default").rpartition("/")[2]
    return (
        [_arn(call, "events", f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}")] if name else None
    )


def _file_systems(call: Call) -> list[str] | None:
    """EFS asks for all file systems where a call describes none in particular."""
    if call.operation == "DescribeFileSystems" and not call.parameter("FileSystemId"):
        return [_arn(call, "elasticfilesystem", "file-system/*")]
    return None


def _http(call: Call) -> dict[str, Any]:
    """HTTP method and address of a REST API's operation."""
    return get_service_model(call.model).operation_model(call.operation).http


def _apigateway(call: Call) -> list[str] | None:
    """The address is the resource, without the API's version."""
    values = {
        name.lower(): quote(value, safe="$")
        for name, value in call.parameters.items()
        if isinstance(value, str)
    }
    uri = _http(call)["requestUri"].removeprefix("/v2").split("?")[0]
    filled = re.sub(r"\{([\w-]+)\+?\}", lambda found: values.get(found[1].replace("-", "").lower(), "*"), uri)
    return [f"arn:aws:apigateway:{call.region}::{filled}"]


def _autoscaling(call: Call) -> list[str] | None:
    """A scalable target's ID is AWS's to choose."""
    if call.parameter("ResourceARN"):
        return [call.parameter("ResourceARN")]
    return (
        None
        if call.operation.startswith("Describe")
        else [_arn(call, "application-autoscaling", "scalable-target/*")]
    )


def _kms_keys(call: Call) -> dict[str, Any]:
    pairs = call.parameter("EncryptionContext") or {}
    keys = {f"kms:encryptioncontext:{key.lower()}": value for key, value in pairs.items()}
    return keys | {"kms:encryptioncontextkeys": list(pairs), "kms:callerAccount".lower(): ACCOUNT_ID}


_SPECIAL: dict[str, Callable[[Call], list[str] | None]] = {
    "apigateway": _apigateway,
    "application-autoscaling": _autoscaling,
    "ec2": network.resources,
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
