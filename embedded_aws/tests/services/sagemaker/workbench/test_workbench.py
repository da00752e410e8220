"""Records of Studio and notebook instances: descriptions, refusals, order of deletion."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from notebooks_kit import encoded, get, role, script, stable

ROLE = "arn:aws:iam::123456789012:role/bench"
CONFIG = "arn:aws:sagemaker:us-east-1:123456789012:studio-lifecycle-config/none"


@pytest.fixture
def sagemaker(embedded_aws):
    return embedded_aws.client("sagemaker")


def running(*command: str) -> list[psutil.Process]:
    """Return the processes with this command line."""
    return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == list(command)]


def refused(operation, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        operation(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def file_systems(aws) -> list[str]:
    return [system["FileSystemId"] for system in aws.client("efs").describe_file_systems()["FileSystems"]]


@pytest.fixture
def domain(sagemaker):
    """The id of a domain with user profile `ann` and her private space `hers`."""
    made = sagemaker.create_domain(
        DomainName="bench-studio",
        AuthMode="IAM",
        VpcId="vpc-1",
        SubnetIds=["subnet-1"],
        DefaultUserSettings={"ExecutionRole": ROLE, "SecurityGroups": ["sg-1"]},
        Tags=[{"Key": "Project", "Value": "bench"}],
    )
    identity = made["DomainId"]
    sagemaker.create_user_profile(DomainId=identity, UserProfileName="ann")
    sagemaker.create_space(
        DomainId=identity,
        SpaceName="hers",
        SpaceSharingSettings={"SharingType": "Private"},
        OwnershipSettings={"OwnerUserProfileName": "ann"},
    )
    yield identity
    if identity in [d["DomainId"] for d in sagemaker.list_domains()["Domains"]]:
        for space in sagemaker.list_spaces(DomainIdEquals=identity)["Spaces"]:
            sagemaker.delete_space(DomainId=identity, SpaceName=space["SpaceName"])
        for profile in sagemaker.list_user_profiles(DomainIdEquals=identity)["UserProfiles"]:
            sagemaker.delete_user_profile(DomainId=identity, UserProfileName=profile["UserProfileName"])
        sagemaker.delete_domain(DomainId=identity, RetentionPolicy={"HomeEfsFileSystem": "Delete"})


def test_domain_keeps_its_settings_and_has_a_file_system(sagemaker, domain, embedded_aws):
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


def test_domain_and_profile_in_use_cannot_be_deleted(sagemaker, domain):
    code, message = refused(sagemaker.delete_domain, DomainId=domain)
    assert code == "ResourceInUse" and "ann" in message
    code, message = refused(sagemaker.delete_user_profile, DomainId=domain, UserProfileName="ann")
    assert code == "ResourceInUse" and "hers" in message


@pytest.mark.parametrize(("policy", "kept"), [("Delete", False), ("Retain", True)])
def test_retention_policy_decides_on_the_file_system(sagemaker, domain, embedded_aws, policy, kept):
    system = sagemaker.describe_domain(DomainId=domain)["HomeEfsFileSystemId"]
    sagemaker.delete_space(DomainId=domain, SpaceName="hers")
    sagemaker.delete_user_profile(DomainId=domain, UserProfileName="ann")
    sagemaker.delete_domain(DomainId=domain, RetentionPolicy={"HomeEfsFileSystem": policy})
    assert (system in file_systems(embedded_aws)) == kept
    assert refused(sagemaker.describe_domain, DomainId=domain)[0] == "ResourceNotFound"
    if kept:
        embedded_aws.client("efs").delete_file_system(FileSystemId=system)


def test_security_groups_stay_when_their_domain_is_deleted(sagemaker, embedded_aws):
    ec2 = embedded_aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    made = sagemaker.create_domain(
        DomainName="bench-groups",
        AuthMode="IAM",
        VpcId=vpc,
        SubnetIds=["subnet-1"],
        DefaultUserSettings={"ExecutionRole": ROLE},
    )
    sagemaker.delete_domain(DomainId=made["DomainId"], RetentionPolicy={"HomeEfsFileSystem": "Delete"})
    tagged = [{"Name": "tag:ManagedByAmazonSageMakerResource", "Values": [made["DomainArn"]]}]
    groups = {g["GroupName"]: g for g in ec2.describe_security_groups(Filters=tagged)["SecurityGroups"]}
    inbound, outbound = (
        groups[f"security-group-for-{way}-nfs-{made['DomainId']}"] for way in ("inbound", "outbound")
    )
    assert {inbound["VpcId"], outbound["VpcId"]} == {vpc} and len(groups) == 2
    (rule,) = inbound["IpPermissions"]
    assert (rule["FromPort"], rule["UserIdGroupPairs"][0]["GroupId"]) == (2049, outbound["GroupId"])
    (rule,) = outbound["IpPermissionsEgress"]
    assert (rule["FromPort"], rule["UserIdGroupPairs"][0]["GroupId"]) == (2049, inbound["GroupId"])
    for group in (inbound, outbound):
        assert refused(ec2.delete_security_group, GroupId=group["GroupId"])[0] == "DependencyViolation"
    ec2.revoke_security_group_ingress(GroupId=inbound["GroupId"], IpPermissions=inbound["IpPermissions"])
    ec2.delete_security_group(GroupId=outbound["GroupId"])
    ec2.delete_security_group(GroupId=inbound["GroupId"])
    ec2.delete_vpc(VpcId=vpc)


def at_once(operation, **arguments) -> list[str]:
    """Send the same request four times at once. Return the sorted results: "OK" or an error code."""

    def send(_: int) -> str:
        try:
            operation(**arguments)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "OK"

    with ThreadPoolExecutor(4) as pool:
        return sorted(pool.map(send, range(4)))


def test_resources_of_an_application_cannot_change_while_it_exists(sagemaker, domain, embedded_aws, until):
    arn = role(embedded_aws, "bench-app")
    content = encoded("touch begun; until [ -e go ]; do sleep 0.1; done; exit 1")
    config = sagemaker.create_studio_lifecycle_config(
        StudioLifecycleConfigName="bench-waits",
        StudioLifecycleConfigAppType="JupyterLab",
        StudioLifecycleConfigContent=content,
    )["StudioLifecycleConfigArn"]
    settings = {"ExecutionRole": arn, "JupyterLabAppSettings": {"LifecycleConfigArns": [config]}}
    sagemaker.update_user_profile(DomainId=domain, UserProfileName="ann", UserSettings=settings)
    delete = (sagemaker.delete_studio_lifecycle_config, {"StudioLifecycleConfigName": "bench-waits"})
    assert "user-profile" in refused(delete[0], **delete[1])[1]
    settings["JupyterLabAppSettings"] = {"LifecycleConfigArns": []}
    sagemaker.update_user_profile(DomainId=domain, UserProfileName="ann", UserSettings=settings)

    app = {"DomainId": domain, "SpaceName": "hers", "AppType": "JupyterLab", "AppName": "default"}
    request = {**app, "ResourceSpec": {"LifecycleConfigArn": config}}
    assert at_once(sagemaker.create_app, **request) == ["OK", *["ResourceInUse"] * 3]
    home = embedded_aws.home / "spaces/us-east-1" / domain / "hers/disk/home/sagemaker-user"
    until((home / "begun").exists)
    assert refused(sagemaker.delete_app, **app)[0] == "ResourceInUse"  # Pending
    assert refused(delete[0], **delete[1])[0] == "ResourceInUse"
    private = {"DomainId": domain, "AppNetworkAccessType": "VpcOnly"}
    assert refused(sagemaker.update_domain, **private)[0] == "ResourceInUse"
    sagemaker.update_domain(DomainId=domain, AppNetworkAccessType="PublicInternetOnly")  # no change

    def failed() -> bool:
        return sagemaker.describe_app(**app)["Status"] == "Failed"

    (home / "go").touch()
    until(failed)
    assert refused(sagemaker.delete_app, **app)[0] == "ValidationException"
    sagemaker.update_domain(**private)
    sagemaker.create_app(**request)  # replaces the failed one
    until(failed)
    assert len(sagemaker.list_apps(DomainIdEquals=domain)["Apps"]) == 1
    delete[0](**delete[1])
    sagemaker.delete_space(DomainId=domain, SpaceName="hers")


def test_space_of_an_unknown_owner_is_refused(sagemaker, domain):
    code, message = refused(
        sagemaker.create_space,
        DomainId=domain,
        SpaceName="his",
        OwnershipSettings={"OwnerUserProfileName": "bob"},
    )
    assert code == "ResourceNotFound" and "bob" in message


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"AppType": "CodeEditor"}, "NotImplementedException", "CodeEditor"),
        ({"SpaceName": "his"}, "ResourceNotFound", "his"),
        ({"SpaceName": "all"}, "NotImplementedException", "shared"),
        ({"SpaceName": None, "UserProfileName": "ann"}, "ValidationException", "SpaceName"),
        ({"ResourceSpec": {"LifecycleConfigArn": CONFIG}}, "ResourceNotFound", "none"),
        ({}, "ValidationException", "Could not assume role"),  # ROLE does not exist
    ],
)
def test_application_that_cannot_run_is_refused(sagemaker, domain, changes, code, message):
    sagemaker.create_space(DomainId=domain, SpaceName="all")
    request = {
        "DomainId": domain,
        "SpaceName": "hers",
        "AppType": "JupyterLab",
        "AppName": "default",
        **changes,
    }
    members = {name: value for name, value in request.items() if value is not None}
    refusal = refused(sagemaker.create_app, **members)
    assert refusal[0] == code and message in refusal[1]
    assert sagemaker.list_apps(DomainIdEquals=domain)["Apps"] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"UserProfileName": "bob"}, "ResourceNotFound"),
        ({"SpaceName": "his"}, "ResourceNotFound"),
        ({"LandingUri": "app:Canvas:"}, "NotImplementedException"),
        (
            {"UserProfileName": "eve"},
            "ValidationException",
        ),  # a private space can be opened only by its owner
        ({"ExpiresInSeconds": 301}, "ValidationException"),
        ({"SessionExpirationDurationInSeconds": 1799}, "ValidationException"),
    ],
)
def test_invalid_presigned_url_request_is_refused(embedded_aws, sagemaker, domain, changes, code):
    sagemaker.create_user_profile(DomainId=domain, UserProfileName="eve")
    unchecked = embedded_aws.client("sagemaker", config=Config(parameter_validation=False))
    request = {"DomainId": domain, "UserProfileName": "ann", "SpaceName": "hers", **changes}
    assert refused(unchecked.create_presigned_domain_url, **request)[0] == code


def test_presigned_url_reports_a_missing_application(sagemaker, domain):
    url = sagemaker.create_presigned_domain_url(DomainId=domain, UserProfileName="ann")["AuthorizedUrl"]
    status, _, page = get(url)
    assert status == 404 and "ann has a running application" in page
    status, _, page = get(url[:-1])
    assert status == 403 and "request a new one" in page


def test_notebook_instance_must_be_stopped_before_changes(embedded_aws, sagemaker, until):
    config, name = "bench-config", "bench-notebook"
    arn = role(embedded_aws, name)
    sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=config, OnStart=script("exec sleep 601")
    )
    made = at_once(
        sagemaker.create_notebook_instance,
        NotebookInstanceName=name,
        InstanceType="ml.t3.medium",
        RoleArn=arn,
        SubnetId="subnet-1",
        SecurityGroupIds=["sg-1"],
        DirectInternetAccess="Disabled",
        LifecycleConfigName=config,
        InstanceMetadataServiceConfiguration={"MinimumInstanceMetadataServiceVersion": "2"},
    )
    assert made == ["OK", *["ValidationException"] * 3]
    described = sagemaker.describe_notebook_instance(NotebookInstanceName=name)
    assert described["PlatformIdentifier"] == "notebook-al2023-v1"
    assert described["NotebookInstanceLifecycleConfigName"] == config
    assert (described["SecurityGroups"], described["NotebookInstanceStatus"]) == (["sg-1"], "Pending")
    assert "Stopped" in refused(sagemaker.delete_notebook_instance, NotebookInstanceName=name)[1]
    assert "Stopped" in refused(sagemaker.update_notebook_instance, NotebookInstanceName=name)[1]
    until(lambda: running("sleep", "601"))[0].kill()  # so that its script fails
    assert stable(sagemaker, name, until)["NotebookInstanceStatus"] == "Failed"
    assert refused(sagemaker.update_notebook_instance, NotebookInstanceName=name, RoleArn=ROLE)[0] == (
        "ValidationException"
    )
    old = {"NotebookInstanceName": name, "PlatformIdentifier": "notebook-al2-v3"}
    assert "no longer supported" in refused(sagemaker.update_notebook_instance, **old)[1]
    sagemaker.update_notebook_instance(NotebookInstanceName=name, InstanceType="ml.t3.large")
    assert (
        "is used by bench-notebook"
        in refused(
            sagemaker.delete_notebook_instance_lifecycle_config, NotebookInstanceLifecycleConfigName=config
        )[1]
    )
    (listed,) = sagemaker.list_notebook_instances(NameContains=name)["NotebookInstances"]
    assert (listed["InstanceType"], listed["NotebookInstanceStatus"]) == ("ml.t3.large", "Failed")
    sagemaker.delete_notebook_instance(NotebookInstanceName=name)
    until(lambda: not sagemaker.list_notebook_instances(NameContains=name)["NotebookInstances"])
    sagemaker.delete_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=config)
    assert refused(sagemaker.describe_notebook_instance, NotebookInstanceName=name) == (
        "ValidationException",
        "RecordNotFound",
    )


def test_notebook_instance_with_an_unassumable_role_is_refused(sagemaker):
    code, message = refused(
        sagemaker.create_notebook_instance,
        NotebookInstanceName="bench-nobody",
        InstanceType="ml.t3.medium",
        RoleArn=ROLE,
    )
    assert code == "ValidationException" and "Could not assume role" in message
    assert sagemaker.list_notebook_instances(NameContains="bench-nobody")["NotebookInstances"] == []


def test_notebook_instance_on_an_unsupported_platform_is_refused(sagemaker):
    code, message = refused(
        sagemaker.create_notebook_instance,
        NotebookInstanceName="bench-old",
        InstanceType="ml.t3.medium",
        RoleArn=ROLE,
        PlatformIdentifier="notebook-al2-v3",
    )
    assert code == "ValidationException" and "notebook-al2-v3 is no longer supported" in message


def test_notebook_instance_without_a_network_is_refused(sagemaker):
    code, message = refused(
        sagemaker.create_notebook_instance,
        NotebookInstanceName="bench-nowhere",
        InstanceType="ml.t3.medium",
        RoleArn=ROLE,
        DirectInternetAccess="Disabled",
    )
    assert code == "ValidationException" and "SubnetId" in message
