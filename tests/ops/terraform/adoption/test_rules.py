"""Every type of resource has a rule of adoption, and the rules find what exists, in an account inside the process."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from ops import settings as environments
from ops.environment import Environment
from ops.errors import OperatorError
from ops.paths import ROOT
from ops.terraform.adoption import rules
from ops.terraform.adoption.rules import ByName, Condition, Found, Listed, Planned, Recreated
from ops.terraform.adoption.search import RULES, Import, Search
from tests.environments import with_clients

TAGS = {"Project": "image-classifier", "Environment": "dev"}
LIST = [{"Key": key, "Value": value} for key, value in TAGS.items()]
OTHER = [{"Key": "Project", "Value": "other"}, {"Key": "Environment", "Value": "prod"}]
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
PREFIX = "image-classifier-dev"


@pytest.fixture
def aws(moto_aws, moto_session):
    """Return the client of a service."""
    return moto_session.client


@pytest.fixture
def search(moto_aws, moto_session):
    env = Environment(environments.load("dev"), moto_session)
    return Search(env, lambda text: None)


def planned(kind: str, address: str = "", **values) -> Planned:
    return Planned(address or f"{kind}.this", kind, values)


def ids(search: Search, *items: Planned) -> list[str]:
    return [found.id for found in search(items)]


# ---- the table ----


def types_in_configuration() -> set[str]:
    sources = [
        path for path in (ROOT / "terraform").rglob("*.tf") if not {"examples", "tests"} & set(path.parts)
    ]
    return {name for path in sources for name in re.findall(r'^resource "(\w+)"', path.read_text(), re.M)}


def test_every_resource_type_has_a_rule_and_no_rule_is_left_over():
    assert types_in_configuration() == set(RULES)


def test_a_rule_without_a_search_has_a_reason():
    assert all(len(rule.reason) > 20 for rule in RULES.values() if isinstance(rule, Recreated))
    assert all(rule.why for rule in RULES.values() if isinstance(rule, ByName) and rule.untagged)


# moto does not have their operations. The first has a test with a fake client, the others are adopted in tests/terraform.
NOT_IN_MOTO = {
    "aws_ec2_instance_connect_endpoint",
    "aws_lambda_provisioned_concurrency_config",
    "aws_sagemaker_studio_lifecycle_config",
}


@pytest.mark.parametrize(
    "kind",
    sorted(k for k, rule in RULES.items() if isinstance(rule, ByName | Listed) and k not in NOT_IN_MOTO),
)
def test_nothing_is_found_in_an_empty_account(search, kind):
    """With the values that are known before anything else exists, as in the first plan."""
    names = {
        "action": "x",
        "alarm_name": "x",
        "bucket": "nobody-has-this-bucket",
        "domain_name": "x",
        "function_name": "x",
        "model_package_group_name": "x",
        "name": "alias/x" if kind == "aws_kms_alias" else "x",
        "path": "/",
        "qualifier": "live",
        "route_key": "POST /",
        "resource_id": "endpoint/x/variant/y",
        "rule": "x",
        "scalable_dimension": "sagemaker:variant:DesiredInstanceCount",
        "service_namespace": "sagemaker",
        "space_name": "x",
        "statement_id": "x",
        "studio_lifecycle_config_name": "x",
        "tags": {"Name": "x"},
        "url": "https://token.actions.githubusercontent.com",
        "user_profile_name": "x",
    }
    assert search([planned(kind, **names)]) == []


# ---- ownership ----


def test_a_role_of_this_environment_is_imported_by_its_name(search, aws):
    aws("iam").create_role(RoleName=PREFIX, AssumeRolePolicyDocument=TRUST, Tags=LIST)
    assert search([planned("aws_iam_role", name=PREFIX)]) == [Import("aws_iam_role.this", PREFIX)]


def test_a_role_of_another_project_is_refused_with_its_owner(search, aws):
    aws("iam").create_role(RoleName=PREFIX, AssumeRolePolicyDocument=TRUST, Tags=OTHER)
    message = (
        f"aws_iam_role {PREFIX} exists and is not of this environment: its tags name Project other, Environment prod. "
        "Choose another project"
    )
    with pytest.raises(OperatorError, match=re.escape(message)):
        search([planned("aws_iam_role", name=PREFIX)])


def test_a_role_without_tags_is_refused(search, aws):
    aws("iam").create_role(RoleName=PREFIX, AssumeRolePolicyDocument=TRUST)
    with pytest.raises(OperatorError, match="its tags name no project"):
        search([planned("aws_iam_role", name=PREFIX)])


def test_the_account_s_identity_provider_is_not_taken(search, aws):
    url = "https://token.actions.githubusercontent.com"
    aws("iam").create_open_id_connect_provider(Url=url, ThumbprintList=["0" * 40], Tags=OTHER)
    with pytest.raises(OperatorError, match=r"set access\.create_identity_provider = false, then run"):
        search([planned("aws_iam_openid_connect_provider", url=url)])


def test_a_bucket_that_was_not_tagged_yet_and_a_log_group_that_aws_made_are_ours(search, aws):
    aws("s3").create_bucket(Bucket=PREFIX)
    aws("logs").create_log_group(logGroupName=f"/aws/lambda/{PREFIX}-inference")
    aws("logs").create_log_group(logGroupName=f"/aws/lambda/{PREFIX}-inference-2", tags={"Project": "other"})
    group = planned("aws_cloudwatch_log_group", name=f"/aws/lambda/{PREFIX}-inference")
    assert ids(search, planned("aws_s3_bucket", bucket=PREFIX), group) == [PREFIX, group.values["name"]]
    with pytest.raises(OperatorError, match="inference-2 exists and is not of this environment"):
        search([planned("aws_cloudwatch_log_group", name=f"/aws/lambda/{PREFIX}-inference-2")])


# ---- resources to which AWS gives an id ----


def test_a_key_that_is_being_deleted_or_another_s_is_not_adopted(search, aws):
    kms, key = aws("kms"), planned("aws_kms_key", description="Encrypts the data")

    def create(*tags: dict) -> str:
        return kms.create_key(Tags=[{"TagKey": t["Key"], "TagValue": t["Value"]} for t in tags])[
            "KeyMetadata"
        ]["KeyId"]

    create(*OTHER)
    kms.schedule_key_deletion(KeyId=create(*LIST), PendingWindowInDays=7)
    assert ids(search, key) == []
    ours = create(*LIST)
    assert ids(search, key) == [ours]
    with_alias = create(*LIST)
    kms.create_alias(AliasName=f"alias/{PREFIX}", TargetKeyId=with_alias)
    alias = planned("aws_kms_alias", name=f"alias/{PREFIX}")
    assert ids(search, key, alias) == [with_alias, f"alias/{PREFIX}"]


def test_a_network_is_found_by_tags_and_its_parts_in_it(search, aws):
    ec2 = aws("ec2")

    def tags(kind: str, name: str, owner=LIST) -> list[dict]:
        return [{"ResourceType": kind, "Tags": [*owner, {"Key": "Name", "Value": name}]}]

    ec2.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tags("vpc", PREFIX, OTHER))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tags("vpc", PREFIX))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", TagSpecifications=tags("subnet", "a"))
    subnet = subnet["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tags("route-table", "private"))
    table = table["RouteTable"]["RouteTableId"]
    group = ec2.create_security_group(
        GroupName="training", Description="x", VpcId=vpc, TagSpecifications=tags("security-group", "training")
    )["GroupId"]
    named = planned("aws_vpc", tags={"Name": PREFIX})
    part = planned("aws_subnet", tags={"Name": "a"})
    assert ids(search, named, part) == [vpc]  # the subnet's VPC is not known yet
    association = planned("aws_route_table_association", subnet_id=subnet, route_table_id=table)
    parts = (
        planned("aws_subnet", tags={"Name": "a"}, vpc_id=vpc),
        planned("aws_subnet", tags={"Name": "b"}, vpc_id=vpc),
        planned("aws_route_table", tags={"Name": "private"}, vpc_id=vpc),
        planned("aws_security_group", name="training", vpc_id=vpc),
        planned("aws_default_security_group", vpc_id=vpc),  # not closed yet
        association,
    )
    assert ids(search, *parts) == [subnet, table, group]
    ec2.associate_route_table(SubnetId=subnet, RouteTableId=table)
    assert ids(search, association) == [f"{subnet}/{table}"]


def test_a_rule_of_a_security_group_is_found_by_what_it_allows(search, aws):
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group, peer = (
        ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)["GroupId"] for name in "ab"
    )
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    made = ec2.authorize_security_group_egress(
        GroupId=group, IpPermissions=[{**https, "UserIdGroupPairs": [{"GroupId": peer}]}]
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    same = {"security_group_id": group, "ip_protocol": "tcp", "from_port": 443, "to_port": 443}
    rule = "aws_vpc_security_group_egress_rule"
    assert ids(search, planned(rule, **same, referenced_security_group_id=peer)) == [made]
    others = (
        planned(rule, **same, referenced_security_group_id=group),
        planned(rule, **{**same, "to_port": 444}, referenced_security_group_id=peer),
        planned(rule, **same),  # what it refers to is not known yet
        planned("aws_vpc_security_group_ingress_rule", **same, referenced_security_group_id=peer),
    )
    assert ids(search, *others) == []


def test_a_terminated_instance_is_not_adopted(search, aws):
    ec2 = aws("ec2")
    image = ec2.register_image(Name="image", RootDeviceName="/dev/xvda")["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [*LIST, {"Key": "Name", "Value": "host"}]}]
    host = planned("aws_instance", tags={"Name": "host"})

    def launch() -> str:
        launched = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tags)
        return launched["Instances"][0]["InstanceId"]

    ec2.terminate_instances(InstanceIds=[launch()])
    assert ids(search, host) == []
    running = launch()
    assert ids(search, host) == [running]


def test_an_instance_connect_endpoint_is_found_by_its_name(moto_session):
    tags = [*LIST, {"Key": "Name", "Value": "host"}]
    endpoints = [
        {"InstanceConnectEndpointId": "eice-1", "State": "delete-complete", "Tags": tags},
        {"InstanceConnectEndpointId": "eice-2", "State": "create-complete", "Tags": tags},
        {"InstanceConnectEndpointId": "eice-3", "State": "create-complete", "Tags": LIST},
    ]

    class Pages:
        def paginate(self, Filters):
            assert {f["Name"]: f["Values"] for f in Filters} == {f"tag:{k}": [v] for k, v in TAGS.items()}
            return [{"InstanceConnectEndpoints": endpoints[:1]}, {"InstanceConnectEndpoints": endpoints[1:]}]

    ec2 = SimpleNamespace(get_paginator={"describe_instance_connect_endpoints": Pages()}.__getitem__)
    env = with_clients(Environment(environments.load("dev"), moto_session), ec2=ec2)
    search = Search(env, lambda text: None)
    assert ids(search, planned("aws_ec2_instance_connect_endpoint", tags={"Name": "host"})) == ["eice-2"]


# ---- a resource that cannot be used ----


@pytest.fixture
def endpoint(moto_session, moto_aws, fast_clock):
    """Return a function that searches for an endpoint whose status changes with each look."""

    def looked_up(*statuses: str) -> tuple[list[Import], list[str]]:
        left, texts = list(statuses), []

        class SageMaker:
            def describe_endpoint(self, EndpointName):
                status = left.pop(0) if len(left) > 1 else left[0]
                if status == "":
                    raise moto_session.client("sagemaker").exceptions.ClientError(
                        {"Error": {"Code": "ValidationException", "Message": "Could not find endpoint"}},
                        "DescribeEndpoint",
                    )
                return {"EndpointArn": "arn", "EndpointStatus": status}

            def list_tags(self, ResourceArn):
                return {"Tags": LIST}

        env = with_clients(Environment(environments.load("dev"), moto_session), sagemaker=SageMaker())
        return Search(env, texts.append)([planned("aws_sagemaker_endpoint", name=PREFIX)]), texts

    return looked_up


def test_an_endpoint_that_is_being_created_is_adopted_when_it_is_in_service(endpoint):
    found, texts = endpoint("Creating", "Creating", "InService")
    assert found == [Import("aws_sagemaker_endpoint.this", PREFIX)]
    assert texts == [f"waiting until {PREFIX} has stopped changing (aws_sagemaker_endpoint.this)"]


def test_an_endpoint_that_is_being_deleted_is_not_adopted(endpoint):
    assert endpoint("Deleting", "Deleting", "")[0] == []


@pytest.mark.parametrize("statuses", [("Failed",), ("Creating", "Failed"), ("OutOfService",)])
def test_a_failed_endpoint_is_replaced(endpoint, statuses):
    (found,), _ = endpoint(*statuses)
    assert found.replace


def test_the_wait_for_an_endpoint_is_bounded(endpoint):
    with pytest.raises(OperatorError, match=r"is still changing after 30 minutes\. Look at it"):
        endpoint("Creating")


# ---- helpers ----


def test_errors_other_than_absence_are_raised(search, aws):
    with pytest.raises(aws("iam").exceptions.NoSuchEntityException):
        rules.ask(aws("iam").get_role, "Other", RoleName="x")


def test_found_resources_are_ready_and_part_of_another_by_default():
    assert (Found("x").condition, Found("x").tags) == (Condition.READY, None)
