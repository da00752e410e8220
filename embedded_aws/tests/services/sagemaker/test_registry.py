"""The model registry: model package groups and model packages."""

import json

import pytest
from botocore.exceptions import ClientError

from hosting_kit import IMAGE, Hosting, variant

pytestmark = pytest.mark.slow

INFERENCE = {
    "Containers": [
        {
            "Image": IMAGE,
            "ModelDataUrl": "s3://hosting-models/model.tar.gz",
            "Environment": {"SM_RAYSERVE_APP": "app:app", "VERSION": "package"},
        }
    ],
    "SupportedContentTypes": ["image/png"],
    "SupportedResponseMIMETypes": ["application/json"],
    "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
}
METRICS = {
    "ModelQuality": {
        "Statistics": {"ContentType": "application/json", "S3Uri": "s3://hosting-models/metrics.json"}
    }
}


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    yield running
    running.delete_endpoints()


@pytest.fixture
def group(aws, request) -> str:
    name = request.node.name.replace("_", "-")[:60].strip("-")
    aws.sagemaker.create_model_package_group(
        ModelPackageGroupName=name, ModelPackageGroupDescription="digits", Tags=[{"Key": "a", "Value": "b"}]
    )
    return name


def register(aws, group: str, **settings) -> str:
    return aws.sagemaker.create_model_package(ModelPackageGroupName=group, **settings)["ModelPackageArn"]


def test_group_is_described_and_tagged(aws, group):
    described = aws.sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert described["ModelPackageGroupDescription"] == "digits"
    assert described["ModelPackageGroupStatus"] == "Completed"
    by_arn = aws.sagemaker.describe_model_package_group(
        ModelPackageGroupName=described["ModelPackageGroupArn"]
    )
    assert by_arn["ModelPackageGroupName"] == group
    tags = aws.sagemaker.list_tags(ResourceArn=described["ModelPackageGroupArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]


def test_duplicate_group_is_refused(aws, group):
    with pytest.raises(ClientError, match="Model Package Group already exists"):
        aws.sagemaker.create_model_package_group(ModelPackageGroupName=group)


def test_unknown_group_is_refused(aws):
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        aws.sagemaker.describe_model_package_group(ModelPackageGroupName="absent")
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        register(aws, "absent")


def test_package_description_has_the_members_of_the_request(aws, group):
    arn = register(
        aws,
        group,
        InferenceSpecification=INFERENCE,
        ModelMetrics=METRICS,
        CustomerMetadataProperties={"git": "abc"},
        ModelApprovalStatus="Approved",
    )
    described = aws.sagemaker.describe_model_package(ModelPackageName=arn)
    assert arn.endswith(f":model-package/{group}/1")
    assert described["InferenceSpecification"] == INFERENCE
    assert described["ModelMetrics"] == METRICS
    assert described["CustomerMetadataProperties"] == {"git": "abc"}
    assert (described["ModelPackageVersion"], described["ModelPackageStatus"]) == (1, "Completed")
    assert not {"DriftCheckBaselines", "ModelPackageName", "SourceUri"} & described.keys()


def test_invalid_metadata_properties_are_refused(aws, group):
    for properties, message in (
        ({"note": "a, b"}, "regular expression"),
        ({"note": "a\nb"}, "regular expression"),
        ({"a,b": "x"}, "regular expression"),
        ({"note": "x" * 257}, "less than or equal to 256"),
        ({"x" * 129: "x"}, "less than or equal to 128"),
    ):
        with pytest.raises(ClientError, match=rf"(?s)ValidationException.*{message}"):
            register(aws, group, CustomerMetadataProperties=properties)
    assert aws.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"] == []
    widest = {"Größe:a/b=c+d-e@f_1": " é" * 128}
    arn = register(aws, group, CustomerMetadataProperties=widest)
    described = aws.sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["CustomerMetadataProperties"] == widest


def test_repeated_client_token_creates_nothing(aws, group):
    first = register(aws, group, ClientToken=f"{group}-1"[-36:])
    assert register(aws, group, ClientToken=f"{group}-1"[-36:]) == first
    assert register(aws, group, ClientToken=f"{group}-2"[-36:]) != first
    listed = aws.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert len(listed) == 2


def test_version_numbers_are_never_reused(aws, group):
    arns = [register(aws, group) for _ in range(3)]
    aws.sagemaker.delete_model_package(ModelPackageName=arns[2])
    assert register(aws, group).endswith("/4")
    listed = aws.sagemaker.list_model_packages(ModelPackageGroupName=group, SortOrder="Ascending")
    assert [p["ModelPackageVersion"] for p in listed["ModelPackageSummaryList"]] == [1, 2, 4]


def test_approval_status_is_updated_and_filtered(aws, group):
    first, _ = register(aws, group), register(aws, group)
    aws.sagemaker.update_model_package(
        ModelPackageArn=first,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"by": "me"},
    )
    approved = aws.sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus="Approved")
    assert [p["ModelPackageArn"] for p in approved["ModelPackageSummaryList"]] == [first]
    described = aws.sagemaker.describe_model_package(ModelPackageName=first)
    assert (described["ApprovalDescription"], described["CustomerMetadataProperties"]) == (
        "good",
        {"by": "me"},
    )
    aws.sagemaker.update_model_package(ModelPackageArn=first, CustomerMetadataPropertiesToRemove=["by"])
    described = aws.sagemaker.describe_model_package(ModelPackageName=first)
    assert described["CustomerMetadataProperties"] == {} and described["ModelApprovalStatus"] == "Approved"


def test_only_an_empty_group_is_deleted(aws, group):
    arn = register(aws, group)
    with pytest.raises(ClientError, match="ConflictException"):
        aws.sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    aws.sagemaker.delete_model_package(ModelPackageName=arn)
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        aws.sagemaker.delete_model_package(ModelPackageName=arn)
    aws.sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    groups = aws.sagemaker.list_model_package_groups(NameContains=group)
    assert groups["ModelPackageGroupSummaryList"] == []


def test_group_policy_is_stored(aws, group):
    with pytest.raises(ClientError, match="Cannot find Resource Policy"):
        aws.sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    aws.sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)
    kept = aws.sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)
    assert kept["ResourcePolicy"] == policy


def test_package_has_either_a_name_or_a_group(aws, group):
    with pytest.raises(ClientError, match="Cannot determine which one to use"):
        register(aws, group, ModelPackageName="mine")
    aws.sagemaker.create_model_package(ModelPackageName="mine", InferenceSpecification=INFERENCE)
    listed = aws.sagemaker.list_model_packages(NameContains="mine")["ModelPackageSummaryList"]
    assert [p["ModelPackageName"] for p in listed] == ["mine"]


def test_approved_package_is_served(aws, group):
    arn = register(aws, group, InferenceSpecification=INFERENCE)
    request = {
        "ModelName": "from-package",
        "ExecutionRoleArn": "arn:aws:iam::123456789012:role/hosting-endpoint",
        "PrimaryContainer": {"ModelPackageName": arn},
    }
    with pytest.raises(ClientError, match="is not approved"):
        aws.sagemaker.create_model(**request)
    aws.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    aws.sagemaker.create_model(**request)
    described = aws.sagemaker.describe_model(ModelName="from-package")
    assert described["PrimaryContainer"]["ModelPackageName"] == arn
    aws.config("from-package", variant("from-package"))
    aws.endpoint("from-package", "from-package")
    assert aws.ask("from-package")["version"] == "package"
