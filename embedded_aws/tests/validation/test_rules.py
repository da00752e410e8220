"""Tables of rules: every row refuses something, and legal requests pass."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.utils import get_service_model

from access_kit import ACCOUNT, policy, trust
from embedded_aws.iam.request import Call
from embedded_aws.validation import requests
from embedded_aws.validation.rules import TABLES
from requests_kit import minimal_value

REGION = "us-east-1"
MISSING_ROLE = f"arn:aws:iam::{ACCOUNT}:role/missing"
MISSING_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
NOBODY = policy({"Principal": {"AWS": MISSING_ROLE}, "Action": "*", "Resource": "*"})
LOCKED = policy({"Principal": {"AWS": ACCOUNT}, "Action": "kms:Encrypt", "Resource": "*"})
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"
ALARM = {
    "AlarmName": "a",
    "Namespace": "N",
    "MetricName": "m",
    "Period": 60,
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}
BUDGET = {
    "BudgetName": "b",
    "BudgetType": "COST",
    "TimeUnit": "MONTHLY",
    "BudgetLimit": {"Amount": "1", "Unit": "USD"},
}
NOTIFICATION = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
MAIL = {"SubscriptionType": "EMAIL", "Address": "a@example.com"}
PUT = {"Name": "/p", "Value": "v", "Type": "String"}
RULE = {"Name": "r"}
OPEN = {"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2}]}


def datum(**members: Any) -> dict[str, Any]:
    return {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 1.0, **members}]}


def opened(**members: Any) -> dict[str, Any]:
    return {"GroupId": "sg-1", "IpPermissions": [{**OPEN["IpPermissions"][0], **members}]}


# Requests that AWS refuses: service → (operation, parameters).
CASES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "apigatewayv2": [
        ("CreateApi", {"Name": "n" * 129, "ProtocolType": "HTTP"}),
        ("CreateApi", {"Name": "n", "ProtocolType": "HTTP", "RouteSelectionExpression": "$request.body"}),
        ("CreateStage", {"ApiId": "a", "StageName": "a b"}),
        ("CreateRoute", {"ApiId": "{api}", "RouteKey": "GET /", "Target": "integrations/missing"}),
    ],
    "budgets": [
        ("DescribeBudget", {"AccountId": "1" * 12, "BudgetName": "b"}),
        (
            "CreateBudget",
            {"AccountId": ACCOUNT, "Budget": {**BUDGET, "BudgetLimit": {"Amount": "0", "Unit": "USD"}}},
        ),
        (
            "CreateBudget",
            {"AccountId": ACCOUNT, "Budget": {**BUDGET, "BudgetLimit": {"Amount": "1", "Unit": "EUR"}}},
        ),
        ("CreateNotification", {"AccountId": ACCOUNT, "BudgetName": "budget", "Notification": NOTIFICATION}),
        ("CreateSubscriber", {"AccountId": ACCOUNT, "Subscriber": {**MAIL, "Address": "nobody"}}),
        (
            "CreateSubscriber",
            {"AccountId": ACCOUNT, "Subscriber": {"SubscriptionType": "SNS", "Address": "topic"}},
        ),
        (
            "CreateBudget",
            {
                "AccountId": ACCOUNT,
                "Budget": BUDGET,
                "NotificationsWithSubscribers": [{"Notification": NOTIFICATION, "Subscribers": [MAIL, MAIL]}],
            },
        ),
    ],
    "cloudwatch": [
        ("PutMetricAlarm", {**ALARM, "MetricName": None}),
        ("PutMetricAlarm", {**ALARM, "Metrics": [{"Id": "m1", "Expression": "1"}]}),
        ("PutMetricAlarm", {"AlarmName": "a", "Metrics": [{"Id": "M1", "Expression": "1"}]}),
        ("PutMetricAlarm", {**ALARM, "TreatMissingData": "fine"}),
        ("PutMetricAlarm", {**ALARM, "AlarmActions": ["topic"]}),
        ("PutCompositeAlarm", {"AlarmName": "a", "OKActions": [TOPIC.replace(REGION, "eu-west-1")]}),
        ("PutMetricData", {**datum(), "Namespace": "AWS/EC2"}),
        ("PutMetricData", {"Namespace": "N", "MetricData": [{"MetricName": "m"}]}),
        ("PutMetricData", datum(Value=float("nan"))),
        ("PutMetricData", datum(Value=2.0**361)),
        ("PutMetricData", datum(StorageResolution=5)),
        ("PutMetricData", datum(Timestamp=datetime(2020, 1, 1))),
        (
            "PutMetricData",
            datum(Timestamp=datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(hours=3)),
        ),
        ("PutMetricData", {"Namespace": "N", "MetricData": datum()["MetricData"] * 1001}),
        ("PutMetricData", datum(Value=None, Values=[1.0] * 151)),
        ("GetMetricStatistics", {"Period": 45}),
        ("PutDashboard", {"DashboardName": "a b", "DashboardBody": '{"widgets": []}'}),
        ("PutDashboard", {"DashboardName": "d", "DashboardBody": '{"widgets": [{"type": "graph"}]}'}),
        ("PutDashboard", {"DashboardName": "d", "DashboardBody": "{}"}),
    ],
    "ec2": [
        ("DeleteSubnet", {"SubnetId": "{subnet}"}),
        ("DeleteSecurityGroup", {"GroupId": "{group}"}),
        ("CreateSecurityGroup", {"GroupName": "sg-mine", "Description": "d"}),
        ("CreateSecurityGroup", {"GroupName": "n", "Description": "größe"}),
        ("AuthorizeSecurityGroupIngress", opened(IpProtocol="ip")),
        ("AuthorizeSecurityGroupEgress", opened(ToPort=65_536)),
        ("AuthorizeSecurityGroupEgress", opened(FromPort=9)),
        (
            "AuthorizeSecurityGroupIngress",
            opened(IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "d" * 256}]),
        ),
        *(
            (f"AuthorizeSecurityGroup{way}", case)
            for way in ("Egress", "Ingress")
            for case in (
                opened(IpProtocol="256"),
                opened(FromPort=None),
                opened(IpRanges=[{"Description": "ä"}]),
            )
        ),
        ("CreateSubnet", {"VpcId": "v", "CidrBlock": "10.0.0.0/29"}),
        ("CreateVpcEndpoint", {"VpcId": "v", "ServiceName": f"com.amazonaws.{REGION}.sagemake"}),
        (
            "CreateVpcEndpoint",
            {"VpcId": "v", "ServiceName": f"com.amazonaws.{REGION}.s3", "PolicyDocument": "{}"},
        ),
        ("CreateNatGateway", {"SubnetId": "{subnet}"}),
        ("RunInstances", {"MinCount": 2, "MaxCount": 1}),
        ("TerminateInstances", {"InstanceIds": ["i-mine"]}),
        ("CreateTags", {"Resources": ["{subnet}"], "Tags": [{"Key": "aws:x", "Value": "v"}]}),
        ("CreateVpc", {"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "k" * 128}]}]}),
        ("CreateTags", {"Resources": ["{subnet}"], "Tags": [{"Key": "k", "Value": "v" * 257}]}),
        ("CreateVpc", {"TagSpecifications": [{"Tags": [{"Key": f"k{n}"} for n in range(51)]}]}),
    ],
    "ecr": [
        ("SetRepositoryPolicy", {"repositoryName": "r", "policyText": NOBODY}),
        ("SetRepositoryPolicy", {"repositoryName": "r", "policyText": "{"}),
        ("CreateRepository", {"repositoryName": "r", "encryptionConfiguration": {"kmsKey": MISSING_KEY}}),
    ],
    "events": [
        *(
            ("PutRule", {**RULE, "ScheduleExpression": text})
            for text in (
                "rate(1 minutes)",
                "rate(2 minute)",
                "rate(0 minutes)",
                "every day",
                "rate(5 seconds)",
            )
        ),
        *(
            ("PutRule", {**RULE, "EventPattern": text})
            for text in (
                "{",
                "[]",
                "{}",
                '{"source": "x"}',
                '{"source": []}',
                '{"detail": {}}',
                '{"source": [{"like": "x"}]}',
            )
        ),
        ("PutRule", {**RULE, "EventPattern": '{"source": ["x"]}', "RoleArn": MISSING_ROLE}),
        ("PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Arn": "a"}, {"Id": "1", "Arn": "b"}]}),
        ("PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Arn": "a", "RoleArn": MISSING_ROLE}]}),
        ("PutTargets", {"Rule": "r", "Targets": [{"Id": str(n), "Arn": "a"} for n in range(6)]}),
    ],
    "kms": [
        ("CreateKey", {"Policy": NOBODY}),
        ("PutKeyPolicy", {"KeyId": "{key}", "Policy": "{"}),
        ("PutKeyPolicy", {"KeyId": "{key}", "Policy": LOCKED}),
        ("PutKeyPolicy", {"KeyId": "{key}", "PolicyName": "mine"}),
        ("CreateAlias", {"AliasName": "mine", "TargetKeyId": "{key}"}),
        ("CreateAlias", {"AliasName": "alias/aws/mine", "TargetKeyId": "{key}"}),
        ("CreateAlias", {"AliasName": "alias/taken", "TargetKeyId": "{key}"}),
        ("ScheduleKeyDeletion", {"KeyId": "{key}", "PendingWindowInDays": 6}),
        ("EnableKeyRotation", {"KeyId": "{key}", "RotationPeriodInDays": 89}),
        ("Encrypt", {"KeyId": "{pending}", "Plaintext": b"p"}),
        ("EnableKey", {"KeyId": "{pending}"}),
        ("GenerateDataKey", {"KeyId": "{disabled}"}),
        ("CreateKey", {"Tags": [{"TagKey": "aws:x", "TagValue": "v"}]}),
    ],
    "lambda": [
        ("AddPermission", {"FunctionName": "f", "Principal": "lamda.amazonaws.com"}),
        ("AddPermission", {"FunctionName": "f", "Principal": MISSING_ROLE}),
        ("TagResource", {"Resource": "f", "Tags": {"aws:x": "v"}}),
        ("CreateFunction", {"FunctionName": "f", "Environment": {"Variables": {"1A": "v"}}}),
    ],
    "logs": [
        ("CreateLogGroup", {"logGroupName": "aws/mine"}),
        ("PutRetentionPolicy", {"logGroupName": "g", "retentionInDays": 2}),
        ("CreateLogGroup", {"logGroupName": "g", "kmsKeyId": MISSING_KEY}),
        ("AssociateKmsKey", {"logGroupName": "g", "kmsKeyId": "{disabled}"}),
        ("PutMetricFilter", {"logGroupName": "g", "filterPattern": "{ $.level = ERROR"}),
        ("PutLogEvents", {"logEvents": [{"timestamp": 2, "message": "m"}, {"timestamp": 1, "message": "m"}]}),
        ("PutLogEvents", {"logEvents": [{"timestamp": n * 86_400_001, "message": "m"} for n in (0, 1)]}),
        ("PutResourcePolicy", {"policyName": "p", "policyDocument": "{"}),
    ],
    "sns": [
        ("CreateTopic", {"Name": "t", "Attributes": {"Color": "red"}}),
        ("SetTopicAttributes", {"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": NOBODY}),
        ("SetTopicAttributes", {"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": "{"}),
        ("CreateTopic", {"Name": "t", "Attributes": {"KmsMasterKeyId": MISSING_KEY}}),
        (
            "SetSubscriptionAttributes",
            {"SubscriptionArn": "s", "AttributeName": "FilterPolicy", "AttributeValue": "{"},
        ),
        ("Subscribe", {"TopicArn": f"{TOPIC}s", "Protocol": "sqs"}),
        ("Subscribe", {"TopicArn": TOPIC, "Protocol": "pigeon", "Endpoint": "e"}),
        ("Subscribe", {"TopicArn": TOPIC, "Protocol": "email", "Endpoint": "nobody"}),
        ("Subscribe", {"TopicArn": TOPIC, "Protocol": "https", "Endpoint": "http://example.com"}),
        (
            "Subscribe",
            {
                "TopicArn": TOPIC,
                "Protocol": "lambda",
                "Endpoint": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
            },
        ),
        ("Publish", {"TopicArn": TOPIC, "Message": ""}),
        ("Publish", {"TopicArn": TOPIC, "Message": "m", "Subject": "two\nlines"}),
    ],
    "sqs": [
        ("CreateQueue", {"QueueName": "q", "Attributes": {"VisibilityTimeout": "43201"}}),
        ("SetQueueAttributes", {"QueueUrl": "q", "Attributes": {"MessageRetentionPeriod": "59"}}),
        ("CreateQueue", {"QueueName": "q", "Attributes": {"Policy": NOBODY}}),
        ("CreateQueue", {"QueueName": "q", "Attributes": {"RedrivePolicy": '{"maxReceiveCount": 3}'}}),
        ("CreateQueue", {"QueueName": "q", "Attributes": {"KmsMasterKeyId": "alias/missing"}}),
        ("SendMessage", {"QueueUrl": "q", "MessageBody": ""}),
        ("SendMessage", {"QueueUrl": "q", "MessageBody": "\x00"}),
    ],
    "ssm": [
        *(
            ("PutParameter", {**PUT, "Name": name})
            for name in ("a b", "/a//b", "/a/", "a/b", "/a" * 16, "n" * 1012)
        ),
        ("PutParameter", {**PUT, "Value": "v" * 4097}),
        ("PutParameter", {**PUT, "Value": "v" * 8193, "Tier": "Advanced"}),
        ("PutParameter", {**PUT, "AllowedPattern": r"\d+"}),
        ("PutParameter", {**PUT, "Name": "/taken", "Type": "StringList", "Overwrite": True}),
        ("PutParameter", {**PUT, "Type": "SecureString", "KeyId": "alias/missing"}),
        ("GetParametersByPath", {"Path": "a"}),
    ],
    "sts": [
        ("AssumeRole", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:user/u", "RoleSessionName": "s"}),
        ("AssumeRole", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/role", "DurationSeconds": 3601}),
        ("AssumeRole", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/long", "DurationSeconds": 3601}),
        ("AssumeRole", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/role", "Policy": "{"}),
    ],
}
# Tables with tests of their own.
ELSEWHERE = {"iam", "s3"}


@pytest.fixture(scope="module")
def names() -> Iterator[dict[str, str]]:
    """Names of what the requests refer to, on moto alone."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        session = boto3.Session(region_name=REGION)
        ec2, kms, iam = session.client("ec2"), session.client("kms"), session.client("iam")
        network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="g", Description="d", VpcId=network)["GroupId"]
        ec2.create_network_interface(SubnetId=subnet, Groups=[group])
        keys = {name: kms.create_key()["KeyMetadata"] for name in ("key", "pending", "disabled")}
        kms.create_alias(AliasName="alias/taken", TargetKeyId=keys["key"]["KeyId"])
        kms.schedule_key_deletion(KeyId=keys["pending"]["KeyId"])
        kms.disable_key(KeyId=keys["disabled"]["KeyId"])
        iam.create_role(RoleName="role", AssumeRolePolicyDocument=trust(AWS=ACCOUNT))
        iam.create_role(RoleName="long", AssumeRolePolicyDocument=trust(AWS=ACCOUNT), MaxSessionDuration=7200)
        session.client("sns").create_topic(Name="topic")
        session.client("ssm").put_parameter(Name="/taken", Value="v", Type="String")
        session.client("budgets").create_budget(
            AccountId=ACCOUNT,
            Budget={**BUDGET, "BudgetName": "budget"},
            NotificationsWithSubscribers=[{"Notification": NOTIFICATION, "Subscribers": [MAIL]}],
        )
        api = session.client("apigatewayv2").create_api(Name="a", ProtocolType="HTTP")["ApiId"]
        yield {
            "subnet": subnet,
            "group": group,
            "api": api,
            **{name: key["Arn"] for name, key in keys.items()},
        }


def filled(value: Any, names: dict[str, str]) -> Any:
    """Return parameters with names in place of "{name}"."""
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    return names.get(value[1:-1], value) if isinstance(value, str) and value.startswith("{") else value


def refusing(service: str, operation: str, parameters: dict[str, Any], names: dict[str, str]) -> int | None:
    """Return the number of the first row that refuses a request."""
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/role/s"
    call = Call(
        service, service, operation, "json", REGION, filled(parameters, names), {}, caller_arn=session
    )
    rows = TABLES[service]
    return next((rows.index(r) for r in requests.rules_of(service, operation) if r.test(call)), None)


@pytest.mark.parametrize(
    ("service", "operation", "parameters"), [(s, *case) for s, cases in CASES.items() for case in cases]
)
def test_refused(service: str, operation: str, parameters: dict[str, Any], names: dict[str, str]) -> None:
    assert refusing(service, operation, parameters, names) is not None


@pytest.mark.parametrize("selection", ["${request.method} ${request.path}", "$request.method $request.path"])
def test_both_spellings_of_the_only_route_selection_are_accepted(
    selection: str, names: dict[str, str]
) -> None:
    request = {"Name": "n", "ProtocolType": "HTTP", "RouteSelectionExpression": selection}
    assert refusing("apigatewayv2", "CreateApi", request, names) is None


@pytest.mark.parametrize("service", CASES)
def test_every_row_refuses_a_request(service: str, names: dict[str, str]) -> None:
    refused = {refusing(service, *case, names) for case in CASES[service]}
    missing = set(range(len(TABLES[service]))) - refused
    assert [(TABLES[service][n].operations, TABLES[service][n].page) for n in sorted(missing)] == []


def test_every_table_is_tested_and_its_rows_name_operations_and_a_page() -> None:
    assert set(CASES) | ELSEWHERE == set(TABLES)
    for service, rows in TABLES.items():
        known = {*get_service_model(service).operation_names, "*"}
        for row in rows:
            assert set(row.operations) <= known, (service, set(row.operations) - known)
            assert row.page and row.code and 400 <= row.status <= 501


@pytest.mark.parametrize("service", TABLES)
def test_no_row_fails_on_a_request_of_required_members_alone(service: str, names: dict[str, str]) -> None:
    model = get_service_model(service)
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        refusing(service, operation, minimal_value(shape) if shape else {}, names)
