"""Studio and notebook instances through boto3: recorded as asked, and removed in the order that AWS demands."""

from __future__ import annotations

import base64

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/bench"


@pytest.fixture
def sagemaker(embedded_aws):
    return embedded_aws.client("sagemaker")


def refused(operation, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        operation(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def file_systems(aws) -> list[str]:
    return [system["FileSystemId"] for system in aws.client("efs").describe_file_systems()["FileSystems"]]


@pytest.fixture
def domain(sagemaker):
    """The id of a domain with the profile `ann` and her space `hers`."""
    made = sagemaker.create_domain(
        DomainName="bench-studio", AuthMode="IAM", VpcId="vpc-1", SubnetIds=["subnet-1"],
        DefaultUserSettings={"ExecutionRole": ROLE, "SecurityGroups": ["sg-1"]},
        Tags=[{"Key": "Project", "Value": "bench"}],
    )  # fmt: skip
    identity = made["DomainId"]
    sagemaker.create_user_profile(DomainId=identity, UserProfileName="ann")
    sagemaker.create_space(
        DomainId=identity, SpaceName="hers", SpaceSharingSettings={"SharingType": "Private"},
        OwnershipSettings={"OwnerUserProfileName": "ann"},
    )  # fmt: skip
    yield identity
    if identity in [d["DomainId"] for d in sagemaker.list_domains()["Domains"]]:
        for space in sagemaker.list_spaces(DomainIdEquals=identity)["Spaces"]:
            sagemaker.delete_space(DomainId=identity, SpaceName=space["SpaceName"])
        for profile in sagemaker.list_user_profiles(DomainIdEquals=identity)["UserProfiles"]:
            sagemaker.delete_user_profile(DomainId=identity, UserProfileName=profile["UserProfileName"])
        sagemaker.delete_domain(DomainId=identity, RetentionPolicy={"HomeEfsFileSystem": "Delete"})


def test_a_domain_keeps_what_it_was_told_and_has_a_file_system(sagemaker, domain, embedded_aws):
    described = sagemaker.describe_domain(DomainId=domain)
    assert described["DefaultUserSettings"]["SecurityGroups"] == ["sg-1"]
    assert described["Status"] == "InService" and described["HomeEfsFileSystemId"] in file_systems(
        embedded_aws
    )
    assert sagemaker.list_tags(ResourceArn=described["DomainArn"])["Tags"] == [
        {"Key": "Project", "Value": "bench"}
    ]
    sagemaker.update_domain(DomainId=domain, DefaultUserSettings={"ExecutionRole": ROLE + "-2"})
    changed = sagemaker.describe_domain(DomainId=domain)["DefaultUserSettings"]
    assert changed == {"ExecutionRole": ROLE + "-2", "SecurityGroups": ["sg-1"]}


def test_what_is_in_use_stays(sagemaker, domain):
    code, message = refused(sagemaker.delete_domain, DomainId=domain)
    assert code == "ResourceInUse" and "ann" in message
    code, message = refused(sagemaker.delete_user_profile, DomainId=domain, UserProfileName="ann")
    assert code == "ResourceInUse" and "hers" in message


@pytest.mark.parametrize(("policy", "kept"), [("Delete", False), ("Retain", True)])
def test_the_file_system_goes_if_the_policy_says_so(sagemaker, domain, embedded_aws, policy, kept):
    system = sagemaker.describe_domain(DomainId=domain)["HomeEfsFileSystemId"]
    sagemaker.delete_space(DomainId=domain, SpaceName="hers")
    sagemaker.delete_user_profile(DomainId=domain, UserProfileName="ann")
    sagemaker.delete_domain(DomainId=domain, RetentionPolicy={"HomeEfsFileSystem": policy})
    assert (system in file_systems(embedded_aws)) == kept
    assert refused(sagemaker.describe_domain, DomainId=domain)[0] == "ResourceNotFound"
    if kept:
        embedded_aws.client("efs").delete_file_system(FileSystemId=system)


def test_a_space_of_nobody_is_refused(sagemaker, domain):
    code, message = refused(
        sagemaker.create_space, DomainId=domain, SpaceName="his",
        OwnershipSettings={"OwnerUserProfileName": "bob"},
    )  # fmt: skip
    assert code == "ResourceNotFound" and "bob" in message


def test_applications_are_refused(sagemaker, domain):
    assert sagemaker.list_apps(DomainIdEquals=domain)["Apps"] == []
    code, _ = refused(
        sagemaker.create_app, DomainId=domain, SpaceName="hers", AppType="JupyterLab", AppName="default"
    )
    assert code == "NotImplementedException"


def test_a_notebook_instance_stops_before_it_goes(sagemaker):
    config, name = "bench-config", "bench-notebook"
    script = base64.b64encode(b"echo hello").decode()
    sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=config, OnStart=[{"Content": script}]
    )
    made = sagemaker.create_notebook_instance(
        NotebookInstanceName=name, InstanceType="ml.t3.medium", RoleArn=ROLE, SubnetId="subnet-1",
        SecurityGroupIds=["sg-1"], DirectInternetAccess="Disabled", LifecycleConfigName=config,
        InstanceMetadataServiceConfiguration={"MinimumInstanceMetadataServiceVersion": "2"},
    )  # fmt: skip
    described = sagemaker.describe_notebook_instance(NotebookInstanceName=name)
    assert described["NotebookInstanceArn"] == made["NotebookInstanceArn"]
    assert described["NotebookInstanceLifecycleConfigName"] == config
    assert (described["SecurityGroups"], described["NotebookInstanceStatus"]) == (["sg-1"], "InService")
    assert "Stopped" in refused(sagemaker.delete_notebook_instance, NotebookInstanceName=name)[1]
    assert "Stopped" in refused(sagemaker.update_notebook_instance, NotebookInstanceName=name)[1]
    sagemaker.stop_notebook_instance(NotebookInstanceName=name)
    sagemaker.update_notebook_instance(NotebookInstanceName=name, InstanceType="ml.t3.large")
    assert "is used by bench-notebook" in refused(
        sagemaker.delete_notebook_instance_lifecycle_config, NotebookInstanceLifecycleConfigName=config
    )[1]  # fmt: skip
    (listed,) = sagemaker.list_notebook_instances(NameContains=name)["NotebookInstances"]
    assert (listed["InstanceType"], listed["NotebookInstanceStatus"]) == ("ml.t3.large", "Stopped")
    sagemaker.delete_notebook_instance(NotebookInstanceName=name)
    sagemaker.delete_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=config)
    assert refused(sagemaker.describe_notebook_instance, NotebookInstanceName=name) == (
        "ValidationException", "RecordNotFound",
    )  # fmt: skip


def test_a_notebook_instance_without_any_network_is_refused(sagemaker):
    code, message = refused(
        sagemaker.create_notebook_instance, NotebookInstanceName="bench-nowhere", InstanceType="ml.t3.medium",
        RoleArn=ROLE, DirectInternetAccess="Disabled",
    )  # fmt: skip
    assert code == "ValidationException" and "SubnetId" in message
