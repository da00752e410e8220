"""GetResources: every service, each resource once, pages, and AWS's errors."""

from __future__ import annotations

import io
import json
import uuid
import zipfile

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"


@pytest.fixture
def project() -> str:
    return f"p{uuid.uuid4().hex[:8]}"


@pytest.fixture
def tagging(embedded_aws):
    return embedded_aws.client("resourcegroupstaggingapi")


def resources(tagging, project: str, **options) -> dict[str, dict[str, str]]:
    """Return the tags of the project's resources by ARN. Fails if one is reported twice."""
    pages = tagging.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": "Project", "Values": [project]}], **options
    )
    found = [item for page in pages for item in page["ResourceTagMappingList"]]
    assert len({item["ResourceARN"] for item in found}) == len(found)
    return {item["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in item["Tags"]} for item in found}


def pairs(project: str) -> list[dict[str, str]]:
    return [{"Key": "Project", "Value": project}]


def network(ec2, project: str) -> set[str]:
    """Create a tagged resource of several kinds of EC2. Returns the ends of their ARNs."""

    def tagged(kind: str) -> dict:
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": pairs(project)}]}

    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", **tagged("vpc"))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24", **tagged("subnet"))["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc", **tagged("elastic-ip"))["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, **tagged("natgateway"))
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", **tagged("vpc-endpoint")
    )
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, **tagged("volume"))["VolumeId"]
    return {
        f"vpc/{vpc}",
        f"subnet/{subnet}",
        f"elastic-ip/{address}",
        f"natgateway/{nat['NatGateway']['NatGatewayId']}",
        f"vpc-endpoint/{endpoint['VpcEndpoint']['VpcEndpointId']}",
        f"volume/{volume}",
    }


def test_ec2_resources_have_the_arns_of_aws(embedded_aws, tagging, project) -> None:
    made = network(embedded_aws.client("ec2"), project)
    assert set(resources(tagging, project)) == {f"arn:aws:ec2:us-east-1:{ACCOUNT}:{end}" for end in made}
    only = resources(tagging, project, ResourceTypeFilters=["ec2:volume"])
    assert [arn.split("/")[0].rpartition(":")[2] for arn in only] == ["volume"]


def test_deleted_resources_are_not_reported(embedded_aws, tagging, project) -> None:
    ec2 = embedded_aws.client("ec2")
    tags = [{"ResourceType": "volume", "Tags": pairs(project)}]
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=tags)["VolumeId"]
    assert len(resources(tagging, project)) == 1
    ec2.delete_volume(VolumeId=volume)
    assert resources(tagging, project) == {}


def test_every_service_reports_its_resources(embedded_aws, tagging, project) -> None:
    made = _one_of_each(embedded_aws, project)
    found = resources(tagging, project)
    assert set(found) == made
    assert all(tags == {"Project": project} for tags in found.values())


def _one_of_each(embedded_aws, project: str) -> set[str]:
    """Create a tagged resource of each service. Returns their ARNs."""
    name = f"{project}-a"
    _without_answers(embedded_aws.client, name, pairs(project))
    regional = f"us-east-1:{ACCOUNT}"
    return {
        *_with_answers(embedded_aws.client, name, pairs(project)),
        *_in_iam(embedded_aws.client, name, pairs(project)),
        f"arn:aws:s3:::{name}",
        f"arn:aws:logs:{regional}:log-group:/{name}",
        f"arn:aws:ssm:{regional}:parameter/{name}/x",
        f"arn:aws:cloudwatch:{regional}:alarm:{name}",
        f"arn:aws:sqs:{regional}:{name}",
        f"arn:aws:budgets::{ACCOUNT}:budget/{name}",
    }


def _without_answers(client, name: str, tags: list[dict[str, str]]) -> None:
    """Create resources whose ARN is not in the answer."""
    as_dict = {tag["Key"]: tag["Value"] for tag in tags}
    client("s3").create_bucket(Bucket=name)
    client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    client("logs").create_log_group(logGroupName=f"/{name}", tags=as_dict)
    client("ssm").put_parameter(Name=f"/{name}/x", Value="x", Type="String", Tags=tags)
    alarm = {"EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    metric = {"MetricName": "m", "Namespace": "n", "Period": 60, "Statistic": "Sum"}
    client("cloudwatch").put_metric_alarm(AlarmName=name, **alarm, **metric, Tags=tags)
    client("sqs").create_queue(QueueName=name, tags=as_dict)
    limit = {"BudgetLimit": {"Amount": "1", "Unit": "USD"}}
    client("budgets").create_budget(
        AccountId=ACCOUNT,
        Budget={"BudgetName": name, "TimeUnit": "MONTHLY", "BudgetType": "COST", **limit},
        ResourceTags=tags,
    )


def _in_iam(client, name: str, tags: list[dict[str, str]]) -> set[str]:
    """Create what the API knows of IAM, and a function with its role, which the API does not know."""
    iam, archive = client("iam"), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("handler.py", "")
    allowed = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=tags)["Role"]["Arn"]
    function = client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role,
        Handler="handler.handler",
        Code={"ZipFile": archive.getvalue()},
        Tags={tag["Key"]: tag["Value"] for tag in tags},
    )
    denial = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    policy = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(denial), Tags=tags)
    profile = iam.create_instance_profile(InstanceProfileName=name, Tags=tags)
    return {function["FunctionArn"], policy["Policy"]["Arn"], profile["InstanceProfile"]["Arn"]}


def _with_answers(client, name: str, tags: list[dict[str, str]]) -> set[str]:
    """Create resources whose answers have the ARN, or the id for it."""
    pair = {tag["Key"]: tag["Value"] for tag in tags}
    key = client("kms").create_key(Tags=[{"TagKey": k, "TagValue": v} for k, v in pair.items()])
    api = client("apigatewayv2").create_api(Name=name, ProtocolType="HTTP", Tags=pair)
    group = client("sagemaker").create_model_package_group(ModelPackageGroupName=name, Tags=tags)
    return {
        key["KeyMetadata"]["Arn"],
        group["ModelPackageGroupArn"],
        f"arn:aws:apigateway:us-east-1::/apis/{api['ApiId']}",
        client("sns").create_topic(Name=name, Tags=tags)["TopicArn"],
        client("events").put_rule(Name=name, ScheduleExpression="rate(1 day)", Tags=tags)["RuleArn"],
        client("ecr").create_repository(repositoryName=name, tags=tags)["repository"]["repositoryArn"],
        client("efs").create_file_system(CreationToken=name, Tags=tags)["FileSystemArn"],
    }


def test_other_regions_report_their_own_resources(embedded_aws, project) -> None:
    west = embedded_aws.client("sns", region_name="us-west-2")
    topic = west.create_topic(Name=project, Tags=pairs(project))["TopicArn"]
    buckets = embedded_aws.client("s3")
    buckets.create_bucket(Bucket=project)
    buckets.put_bucket_tagging(Bucket=project, Tagging={"TagSet": pairs(project)})
    for region, expected in (("us-west-2", topic), ("us-east-1", f"arn:aws:s3:::{project}")):
        tagging = embedded_aws.client("resourcegroupstaggingapi", region_name=region)
        assert list(resources(tagging, project)) == [expected]


def test_pages_cover_every_resource_once(embedded_aws, tagging, project) -> None:
    sns = embedded_aws.client("sns")
    made = {sns.create_topic(Name=f"{project}-{n}", Tags=pairs(project))["TopicArn"] for n in range(7)}
    assert set(resources(tagging, project, ResourcesPerPage=3)) == made


def test_resources_are_looked_up_by_arn(embedded_aws, tagging, project) -> None:
    sns = embedded_aws.client("sns")
    one, _ = (sns.create_topic(Name=f"{project}-{n}", Tags=pairs(project))["TopicArn"] for n in range(2))
    found = tagging.get_resources(ResourceARNList=[one, f"{one}-missing"])["ResourceTagMappingList"]
    assert [item["ResourceARN"] for item in found] == [one]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"ResourceARNList": ["arn:x"] * 2, "TagFilters": [{"Key": "a"}]}, "InvalidParameterException"),
        ({"PaginationToken": "%"}, "PaginationTokenExpiredException"),
        ({"IncludeComplianceDetails": True}, "NotImplementedException"),
    ],
)
def test_invalid_requests_are_refused(tagging, arguments, code) -> None:
    with pytest.raises(ClientError) as caught:
        tagging.get_resources(**arguments)
    assert caught.value.response["Error"]["Code"] == code
