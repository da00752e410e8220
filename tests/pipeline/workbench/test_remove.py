"""The removal of the workbench: applications, file systems, security groups, and what Terraform did not create."""

from __future__ import annotations

import pytest

from ops.errors import OperatorError
from ops.terraform import state_bucket
from pipeline.workbench import studio, workbench
from tests.pipeline.workbench.fake_sagemaker import ARN, refused

NAME = "image-classifier-dev-workbench"


def quiet(text: str) -> None:
    pass


def notebook(status: str) -> dict:
    return {"NotebookInstanceName": NAME, "NotebookInstanceStatus": status}


def file_system(dev, domain: str, key: str | None = None) -> str:
    tags = [{"Key": studio.OWNER_TAG, "Value": f"{ARN}/{domain}"}]
    more = {"Encrypted": True, "KmsKeyId": key} if key else {}
    return dev.client("efs").create_file_system(CreationToken=domain, Tags=tags, **more)["FileSystemId"]


def key(dev, environment: str) -> str:
    tags = {"Project": "image-classifier", "Environment": environment}
    made = dev.client("kms").create_key(Tags=[{"TagKey": k, "TagValue": v} for k, v in tags.items()])
    return made["KeyMetadata"]["Arn"]


def applied(dev) -> None:
    """Write a state with resources."""
    body = b'{"resources": [{}]}'
    bucket = state_bucket.ensure(dev)
    dev.client("s3").put_object(Bucket=bucket, Key="dev/workbench.tfstate", Body=body)


def test_applications_are_deleted_before_the_domain_and_its_file_system(env, dev, sagemaker, stack):
    applied(dev)
    sagemaker.domains = {"d-1": NAME}
    sagemaker.apps = {
        ("d-1", NAME): {"Status": "InService"},
        ("d-1", "hers"): {"Status": "Deleting"},
        ("d-1", "his"): {"Status": "Pending"},
        ("d-1", "old"): {"Status": "Failed"},
    }
    system = file_system(dev, "d-1")

    def destroy():
        assert {app["Status"] for app in sagemaker.apps.values()} == {"Deleted", "Failed"}
        sagemaker.domains.clear()
        dev.client("efs").delete_file_system(FileSystemId=system)

    stack.down = destroy
    assert workbench.remove(env, quiet) == ["module.workbench[0].x"]
    assert [call["SpaceName"] for call in sagemaker.named("delete_app")] == [NAME, "his"]


@pytest.mark.parametrize("status", ["Pending", "Updating", "Stopping"])
def test_a_notebook_instance_is_removed_once_it_is_stable(env, dev, sagemaker, stack, status):
    """Terraform stops an instance in service, and deletes any other at once, which SageMaker refuses."""
    applied(dev)
    sagemaker.notebook = notebook(status)

    def destroy():
        assert sagemaker.notebook["NotebookInstanceStatus"] in ("InService", "Stopped")
        sagemaker.notebook = None

    stack.down = destroy
    assert workbench.remove(env, quiet) == ["module.workbench[0].x"]


def nfs_groups(dev, vpc: str, domain: str) -> list[str]:
    """Create the two security groups that SageMaker creates with a domain; each allows the other."""
    ec2, made = dev.client("ec2"), []
    tags = [
        {"ResourceType": "security-group", "Tags": [{"Key": studio.OWNER_TAG, "Value": f"{ARN}/{domain}"}]}
    ]
    for way in ("inbound", "outbound"):
        name = f"security-group-for-{way}-nfs-{domain}"
        made.append(
            ec2.create_security_group(GroupName=name, Description="NFS", VpcId=vpc, TagSpecifications=tags)[
                "GroupId"
            ]
        )
    for group, other, let in zip(
        made,
        made[::-1],
        (ec2.authorize_security_group_ingress, ec2.authorize_security_group_egress),
        strict=True,
    ):
        pairs = [{"GroupId": other}]
        let(
            GroupId=group,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "UserIdGroupPairs": pairs}
            ],
        )
    return made


def vpc(dev, environment: str | None) -> str:
    tags = [
        {"Key": "Project", "Value": "image-classifier"},
        {"Key": "Environment", "Value": str(environment)},
    ]
    return dev.client("ec2").create_vpc(
        CidrBlock="10.9.0.0/16",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}] if environment else [],
    )["Vpc"]["VpcId"]


def test_security_groups_of_a_domain_are_removed_with_it(env, dev, sagemaker, stack):
    applied(dev)
    own, default, prods = vpc(dev, "dev"), vpc(dev, None), vpc(dev, "prod")
    sagemaker.domains = {"d-1": NAME, "d-2": "image-classifier-prod-workbench"}
    ours = [*nfs_groups(dev, default, "d-1"), *nfs_groups(dev, own, "d-7")]  # d-7 was deleted before
    others = [
        *nfs_groups(dev, default, "d-2"),
        *nfs_groups(dev, default, "d-8"),
        *nfs_groups(dev, prods, "d-9"),
    ]
    assert {g["GroupId"] for g in studio.security_groups(env)} == set(ours)
    stack.down = lambda: sagemaker.domains.pop("d-1")
    workbench.remove(env, quiet)
    left = {group["GroupId"] for group in dev.client("ec2").describe_security_groups()["SecurityGroups"]}
    assert left.isdisjoint(ours) and left >= set(others)


def test_security_groups_in_use_are_waited_for(env, dev, sagemaker, monkeypatch):
    groups = nfs_groups(dev, vpc(dev, "dev"), "d-7")
    ec2, refusals = env.client("ec2"), [1, 1, 1]
    real = ec2.delete_security_group

    def delete(GroupId):
        if refusals:
            refusals.pop()
            raise refused("DeleteSecurityGroup", "DependencyViolation", "has a dependent object")
        real(GroupId=GroupId)

    monkeypatch.setattr(ec2, "delete_security_group", delete)
    shown: list[str] = []
    studio.delete_security_groups(env, [], shown.append)
    assert studio.security_groups(env) == []
    assert shown[0] == f"waiting for the deletion of security group {', '.join(groups)}"
    assert len(shown) == 2


def test_without_a_state_terraform_is_not_run(env, dev, sagemaker, stack):
    assert workbench.remove(env, quiet) == []
    assert stack.downs == 0


def test_a_file_system_that_is_not_deleted_is_an_error(env, dev, sagemaker, stack, monkeypatch):
    system = file_system(dev, "d-9", key(dev, "dev"))
    monkeypatch.setattr(studio, "WAIT_SECONDS", -1)
    with pytest.raises(OperatorError, match=f"{system} of a Studio domain of dev still exists, and bills"):
        workbench.remove(env, quiet)


def test_resources_that_terraform_did_not_create_are_an_error(env, dev, sagemaker, stack):
    sagemaker.domains, sagemaker.notebook = {"d-1": NAME}, notebook("InService")
    with pytest.raises(
        OperatorError,
        match=f"^Terraform did not create Studio domain d-1 and notebook instance {NAME}: delete",
    ):
        workbench.remove(env, quiet)


def test_file_systems_of_other_environments_are_ignored(env, dev, sagemaker):
    sagemaker.domains = {"d-1": NAME, "d-2": "image-classifier-prod-workbench"}
    deleted = key(dev, "dev")
    ours = [file_system(dev, "d-1"), file_system(dev, "d-8", deleted)]
    file_system(dev, "d-2", key(dev, "prod"))
    file_system(dev, "d-7", key(dev, "prod"))
    file_system(dev, "d-6")  # with AWS's key: its environment is not known
    dev.client("efs").create_file_system(CreationToken="plain", Encrypted=True, KmsKeyId=deleted)
    dev.client("kms").schedule_key_deletion(KeyId=deleted.rpartition("/")[2], PendingWindowInDays=7)
    assert sorted(studio.file_systems(env)) == sorted(ours)
