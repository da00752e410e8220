"""Plants resources of many kinds in an account: with an environment's tags only, or with its names only."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/service"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]},
            }
        ],
    }
)
DENIAL = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
)


UNTAGGED = {"dashboard", "schedule"}  # kinds without tags of their own


class Planter:
    """Creates resources. Each `plant_…` creates one, and returns its kind in the inventory.

    client: returns the boto3 client of a service.
    name: of each resource.
    tags: of each resource; None for none.
    """

    def __init__(self, client: Callable[[str], Any], name: str, tags: dict[str, str] | None) -> None:
        self.client, self.name, self.tags = client, name, tags or {}

    def plant(self, *kinds: str) -> set[str]:
        """Create a resource of each kind, by default of all. Returns the kinds."""
        known = [name.removeprefix("plant_") for name in dir(self) if name.startswith("plant_")]
        possible = [name for name in known if not (self.tags and name in UNTAGGED)]
        chosen = [f"plant_{name}" for name in possible if not kinds or name in kinds]
        return {getattr(self, name)() for name in chosen}

    @property
    def pairs(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def _ec2(self, kind: str) -> dict[str, Any]:
        tags = self.pairs or [{"Key": "Name", "Value": self.name}]
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]}

    def plant_volume(self) -> str:
        self.client("ec2").create_volume(
            AvailabilityZone=f"{self._region}a", Size=100, VolumeType="gp3", **self._ec2("volume")
        )
        return "volume"

    def plant_snapshot(self) -> str:
        volume = self.client("ec2").create_volume(AvailabilityZone=f"{self._region}a", Size=10)["VolumeId"]
        self.client("ec2").create_snapshot(VolumeId=volume, **self._ec2("snapshot"))
        return "snapshot"

    def plant_address(self) -> str:
        self.client("ec2").allocate_address(Domain="vpc", **self._ec2("elastic-ip"))
        return "Elastic IP address"

    def plant_key_pair(self) -> str:
        self.client("ec2").create_key_pair(
            KeyName=f"{self.name}-{uuid.uuid4().hex[:4]}", **self._ec2("key-pair")
        )
        return "key pair"

    def plant_image(self) -> str:
        image = self.client("ec2").register_image(
            Name=f"{self.name}-{uuid.uuid4().hex[:4]}", RootDeviceName="/dev/sda1"
        )
        self.client("ec2").create_tags(
            Resources=[image["ImageId"]], Tags=self.pairs or [{"Key": "Name", "Value": self.name}]
        )
        return "image (AMI)"

    def plant_launch_template(self) -> str:
        self.client("ec2").create_launch_template(
            LaunchTemplateName=f"{self.name}-{uuid.uuid4().hex[:4]}",
            LaunchTemplateData={"InstanceType": "t3.micro"},
            **self._ec2("launch-template"),
        )
        return "launch template"

    def plant_internet_gateway(self) -> str:
        gateway = self.client("ec2").create_internet_gateway(**self._ec2("internet-gateway"))
        identifier = gateway["InternetGateway"]["InternetGatewayId"]
        self.client("ec2").attach_internet_gateway(InternetGatewayId=identifier, VpcId=self._subnet()[0])
        return "internet gateway"

    def plant_dashboard(self) -> str:
        self.client("cloudwatch").put_dashboard(DashboardName=self.name, DashboardBody='{"widgets": []}')
        return "dashboard"

    def plant_schedule(self) -> str:
        self.client("scheduler").create_schedule(
            Name=self.name,
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": f"arn:aws:sqs:{self._region}:123456789012:q", "RoleArn": ROLE},
        )
        return "schedule"

    def plant_vpc(self) -> str:
        self.client("ec2").create_vpc(CidrBlock="10.40.0.0/20", **self._ec2("vpc"))
        return "VPC"

    def plant_gateway(self) -> str:
        vpc, subnet = self._subnet()
        self.client("ec2").create_vpc_endpoint(
            VpcId=vpc,
            ServiceName=f"com.amazonaws.{self._region}.sts",
            VpcEndpointType="Interface",
            SubnetIds=[subnet],
            **self._ec2("vpc-endpoint"),
        )
        return "VPC endpoint"

    def plant_nat(self) -> str:
        address = self.client("ec2").allocate_address(Domain="vpc", **self._ec2("elastic-ip"))
        self.client("ec2").create_nat_gateway(
            SubnetId=self._subnet()[1], AllocationId=address["AllocationId"], **self._ec2("natgateway")
        )
        return "NAT gateway"

    def plant_interface(self) -> str:
        self.client("ec2").create_network_interface(
            SubnetId=self._subnet()[1], **self._ec2("network-interface")
        )
        return "network interface"

    def plant_security_groups(self) -> str:
        """Two groups whose rules name each other."""
        ec2, vpc = self.client("ec2"), self._subnet()[0]
        one, other = (
            ec2.create_security_group(
                GroupName=f"{self.name}-{n}", Description="x", VpcId=vpc, **self._ec2("security-group")
            )["GroupId"]
            for n in "ab"
        )
        for group, source in ((one, other), (other, one)):
            rule = {
                "IpProtocol": "tcp",
                "FromPort": 1,
                "ToPort": 2,
                "UserIdGroupPairs": [{"GroupId": source}],
            }
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        return "security group"

    def plant_queue(self) -> str:
        self.client("sqs").create_queue(QueueName=self.name, tags=self.tags)
        return "queue"

    def plant_topic(self) -> str:
        self.client("sns").create_topic(Name=self.name, Tags=self.pairs)
        return "topic"

    def plant_rule(self) -> str:
        events = self.client("events")
        events.put_rule(Name=self.name, ScheduleExpression="rate(1 day)", Tags=self.pairs)
        target = f"arn:aws:sqs:{self._region}:123456789012:{self.name}"
        events.put_targets(Rule=self.name, Targets=[{"Id": "1", "Arn": target}])
        return "EventBridge rule"

    def plant_alarm(self) -> str:
        self.client("cloudwatch").put_metric_alarm(
            AlarmName=self.name,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            MetricName="m",
            Namespace="n",
            Period=60,
            Statistic="Sum",
            Tags=self.pairs,
        )
        return "alarm"

    def plant_log_group(self) -> str:
        tags = {"tags": self.tags} if self.tags else {}  # CloudWatch Logs refuses an empty object
        self.client("logs").create_log_group(logGroupName=f"/aws/lambda/{self.name}", **tags)
        return "log group"

    def plant_parameter(self) -> str:
        self.client("ssm").put_parameter(Name=f"/some/{self.name}", Value="x", Type="String", Tags=self.pairs)
        return "parameter"

    def plant_bucket(self) -> str:
        s3 = self.client("s3")
        s3.create_bucket(Bucket=self.name)
        s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})
        if self.pairs:
            s3.put_bucket_tagging(Bucket=self.name, Tagging={"TagSet": self.pairs})
        for body in (b"one", b"two"):
            s3.put_object(Bucket=self.name, Key="k", Body=body)
        s3.delete_object(Bucket=self.name, Key="k")
        return "bucket"

    def plant_key(self) -> str:
        tags = [{"TagKey": key, "TagValue": value} for key, value in self.tags.items()]
        key = self.client("kms").create_key(Tags=tags)["KeyMetadata"]["KeyId"]
        if not tags:
            self.client("kms").create_alias(AliasName=f"alias/{self.name}", TargetKeyId=key)
        return "KMS key"

    def plant_repository(self) -> str:
        self.client("ecr").create_repository(repositoryName=self.name, tags=self.pairs)
        return "repository"

    def plant_file_system(self) -> str:
        tags = self.pairs or [{"Key": "Name", "Value": self.name}]
        self.client("efs").create_file_system(CreationToken=uuid.uuid4().hex, Tags=tags)
        return "file system"

    def plant_role(self) -> str:
        iam = self.client("iam")
        iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=TRUST, Tags=self.pairs)
        iam.put_role_policy(RoleName=self.name, PolicyName="p", PolicyDocument=DENIAL)
        iam.attach_role_policy(RoleName=self.name, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
        return "role"

    def plant_policy(self) -> str:
        self.client("iam").create_policy(PolicyName=self.name, PolicyDocument=DENIAL, Tags=self.pairs)
        return "policy"

    def plant_profile(self) -> str:
        """An instance profile with a role in it."""
        iam, role = self.client("iam"), f"{self.name}-host"
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST, Tags=self.pairs)
        iam.create_instance_profile(InstanceProfileName=self.name, Tags=self.pairs)
        iam.add_role_to_instance_profile(InstanceProfileName=self.name, RoleName=role)
        return "instance profile"

    def plant_budget(self) -> str:
        budget = {"BudgetName": self.name, "TimeUnit": "MONTHLY", "BudgetType": "COST"}
        limit = {"BudgetLimit": {"Amount": "1", "Unit": "USD"}}
        self.client("budgets").create_budget(
            AccountId="123456789012", Budget={**budget, **limit}, ResourceTags=self.pairs
        )
        return "budget"

    def plant_function(self) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as out:
            out.writestr("handler.py", "def handler(event, context): pass")
        role = self.client("iam").create_role(
            RoleName=f"{self.name}-function", AssumeRolePolicyDocument=TRUST, Tags=self.pairs
        )
        self.client("lambda").create_function(
            FunctionName=self.name,
            Runtime="python3.12",
            Role=role["Role"]["Arn"],
            Handler="handler.handler",
            Code={"ZipFile": archive.getvalue()},
            Tags=self.tags,
        )
        return "function"

    def plant_api(self) -> str:
        self.client("apigatewayv2").create_api(Name=self.name, ProtocolType="HTTP", Tags=self.tags)
        return "API"

    def plant_model_package_group(self) -> str:
        self.client("sagemaker").create_model_package_group(ModelPackageGroupName=self.name, Tags=self.pairs)
        return "model package group"

    def plant_notebook_configuration(self) -> str:
        self.client("sagemaker").create_notebook_instance_lifecycle_config(
            NotebookInstanceLifecycleConfigName=self.name, Tags=self.pairs
        )
        return "notebook lifecycle configuration"

    def plant_studio_configuration(self) -> str:
        self.client("sagemaker").create_studio_lifecycle_config(
            StudioLifecycleConfigName=self.name,
            StudioLifecycleConfigContent="ZWNobw==",
            StudioLifecycleConfigAppType="JupyterLab",
            Tags=self.pairs,
        )
        return "Studio lifecycle configuration"

    def _subnet(self) -> tuple[str, str]:
        """Create a VPC of the same owner with a subnet."""
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.41.0.0/20", **self._ec2("vpc"))["Vpc"]["VpcId"]
        return vpc, ec2.create_subnet(VpcId=vpc, CidrBlock="10.41.0.0/23")["Subnet"]["SubnetId"]

    @property
    def _region(self) -> str:
        return str(self.client("ec2").meta.region_name)
