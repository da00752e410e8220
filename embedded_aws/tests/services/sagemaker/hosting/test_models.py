"""Models."""

import pytest
from botocore.exceptions import ClientError

from hosting_kit import LIST, READ, Hosting, refused

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    running.model("described")
    return running


def test_description_has_the_members_of_the_request(aws):
    described = aws.sagemaker.describe_model(ModelName="described")
    assert described["PrimaryContainer"]["ModelDataUrl"] == "s3://hosting-models/model.tar.gz"
    assert described["EnableNetworkIsolation"] is True
    assert not {"VpcConfig", "Containers"} & described.keys()


def test_duplicate_name_is_refused(aws):
    with pytest.raises(
        ClientError, match=r'Cannot create already existing model "arn:aws:sagemaker:.*:model/described"'
    ):
        aws.model("described")


def test_missing_model_data_is_refused(aws):
    with pytest.raises(ClientError, match="Could not find model data at s3://hosting-models/absent"):
        aws.model("no-data", url="s3://hosting-models/absent")


def test_role_without_access_to_the_model_data_is_refused(aws):
    aws.allow(LIST)
    try:
        with pytest.raises(ClientError, match="Could not access model data at s3://hosting-models/model"):
            aws.model("no-permission")
    finally:
        aws.allow(READ, LIST)


def test_models_are_listed_and_deleted(aws):
    aws.model("listed-1")
    aws.model("listed-2")
    listed = aws.sagemaker.list_models(NameContains="listed", SortBy="Name", SortOrder="Ascending")["Models"]
    assert [m["ModelName"] for m in listed] == ["listed-1", "listed-2"]
    aws.sagemaker.delete_model(ModelName="listed-1")
    assert refused(aws.sagemaker.describe_model, ModelName="listed-1") == (
        "ValidationException",
        'Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/listed-1".',
    )
