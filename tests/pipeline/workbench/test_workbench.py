"""The workbench: what is refused before anything is made, what is closed and waited for, woken and left."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from ops import settings as environments
from ops.aws import client
from ops.errors import OperatorError
from ops.terraform import stacks
from pipeline.workbench import studio, workbench
from tests.pipeline.workbench.workbench_kit import ARN, FakeSageMaker, refused

NAME = "image-classifier-dev-workbench"
REGION = "us-east-1"


def quiet(text: str) -> None:
    pass


@pytest.fixture
def dev() -> environments.Settings:
    return environments.load("dev")


@pytest.fixture
def sagemaker(moto_aws, monkeypatch) -> FakeSageMaker:
    fake = FakeSageMaker()
    for module in (studio, workbench):
        monkeypatch.setattr(
            module, "client", lambda s, region: fake if s == "sagemaker" else client(s, region)
        )
    monkeypatch.setattr(studio, "_PAUSE", 0)
    return fake


@pytest.fixture
def stack(monkeypatch):
    """The stack's applies and removals. up, down: what they do besides."""
    made = SimpleNamespace(inputs=[], downs=0, up=lambda inputs: None, down=lambda: None)
    change = SimpleNamespace(address="module.workbench[0].x", actions=("create",))

    class Stack:
        def __init__(self, settings, progress, notebooks=None):
            self.notebooks = notebooks

        def up(self):
            made.inputs.append(self.notebooks)
            made.up(self.notebooks)
            return (change,)

        def down(self):
            made.downs += 1
            made.down()
            return (change,)

    monkeypatch.setattr(stacks, "workbench", Stack)
    return made


def hand_over(kind: str = "studio", instance_type: str = "ml.t3.medium", domain: str | None = "d-1") -> None:
    value = {
        "name": NAME,
        "kind": kind,
        "instance_type": instance_type,
        "domain_id": domain,
        "internet_access": True,
        "repository_uri": "s3://b/r.tar.gz",
    }
    name = "/image-classifier/dev/workbench"
    client("ssm", REGION).put_parameter(Name=name, Type="String", Value=json.dumps(value), Overwrite=True)


def notebook(status: str) -> dict:
    return {"NotebookInstanceName": NAME, "NotebookInstanceStatus": status}


def file_system(domain: str, key: str | None = None) -> str:
    tags = [{"Key": studio.OWNER, "Value": f"{ARN}/{domain}"}]
    more = {"Encrypted": True, "KmsKeyId": key} if key else {}
    return client("efs", REGION).create_file_system(CreationToken=domain, Tags=tags, **more)["FileSystemId"]


def key(environment: str) -> str:
    tags = {"Project": "image-classifier", "Environment": environment}
    made = client("kms", REGION).create_key(Tags=[{"TagKey": k, "TagValue": v} for k, v in tags.items()])
    return made["KeyMetadata"]["Arn"]


# ---- what is wanted ----


def test_the_command_line_comes_before_the_environment(dev):
    assert workbench.chosen(dev, None, None, False) == dev.workbench
    wanted = workbench.chosen(dev, "notebook", "ml.m5.xlarge", True)
    assert (wanted.kind, wanted.instance_type, wanted.internet) == ("notebook", "ml.m5.xlarge", True)
    assert wanted.volume_size_gb == dev.workbench.volume_size_gb == 20


@pytest.mark.parametrize(
    ("kind", "instance_type", "told"),
    [
        ("jupyter", None, r"^--kind jupyter: choose studio or notebook\.$"),
        (
            "studio",
            "ml.t3.mediun",
            r"no instance type 'ml\.t3\.mediun' for studio: did you mean ml\.t3\.medium",
        ),
        ("notebook", "t3.medium", r"no instance type 't3\.medium' for notebook: did you mean ml\.t3\.medium"),
        ("studio", "ml.t2.medium", r"'ml\.t2\.medium' for studio"),  # notebook instances have it
        ("studio", "system", "no instance type 'system'"),
    ],
)
def test_a_wrong_choice_is_one_sentence(dev, kind, instance_type, told):
    with pytest.raises(OperatorError, match=told):
        workbench.chosen(dev, kind, instance_type, False)


def test_without_a_private_network_it_needs_the_internet(dev, moto_aws):
    wanted = workbench.chosen(dev, None, None, False)
    with pytest.raises(
        OperatorError,
        match=r"workbench\.up --env dev --internet, or set vpc = true under \[network\] in "
        r"environments/dev\.toml and run \./inv apply --stack foundation --env dev",
    ):
        workbench.check_network(dev, wanted, private=False)
    workbench.check_network(dev, wanted, private=True)
    workbench.check_network(dev, wanted.model_copy(update={"internet": True}), private=False)


@pytest.mark.parametrize(
    ("kind", "internet", "told"),
    [("studio", False, True), ("studio", True, False), ("notebook", False, False)],
)
def test_studio_is_not_moved_into_the_private_network(dev, moto_aws, kind, internet, told):
    """The provider cannot: it sends no VPC with the change."""
    hand_over()
    wanted = workbench.chosen(dev, kind, None, internet)
    if not told:
        return workbench.check_network(dev, wanted, private=True)
    with pytest.raises(
        OperatorError, match=r"cannot be moved .* --env dev --internet to leave it .*workbench\.down"
    ):
        workbench.check_network(dev, wanted, private=True)


# ---- the repository ----


@pytest.mark.parametrize("internet", [True, False])
def test_the_repository_is_uploaded_once_and_brings_wheels_where_there_is_no_internet(
    dev, moto_aws, monkeypatch, tmp_path, internet
):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.py").write_text("content")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a.whl").write_text("a wheel")
    asked = []
    monkeypatch.setattr(workbench, "ROOT", tmp_path / "root")
    monkeypatch.setattr(workbench, "WORK", tmp_path / "work")
    monkeypatch.setattr(workbench.wheels, "folder", lambda kind, _: asked.append(kind) or tmp_path / "wheels")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    s3 = client("s3", REGION)
    s3.create_bucket(Bucket="bucket")
    wanted = workbench.chosen(dev, "notebook", None, internet)

    def upload() -> str:
        return workbench.upload_repository(
            dev,
            wanted,
            "bucket",
            "arn:aws:kms:us-east-1:123456789012:key/1",
            "arn:aws:iam::123456789012:role/tuning",
            quiet,
        )

    uri = upload()
    assert uri.startswith("s3://bucket/code/") and uri.endswith("/repository.tar.gz")
    head = s3.head_object(Bucket="bucket", Key=uri.removeprefix("s3://bucket/"))
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"][-5:]) == ("aws:kms", "key/1")
    assert asked == ([] if internet else ["notebook"])
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    assert upload() == uri
    (tmp_path / "root" / "a.py").write_text("changed")
    assert upload() != uri
    assert len(s3.list_object_versions(Bucket="bucket")["Versions"]) == 2


@pytest.mark.parametrize(
    ("kind", "internet", "state", "kept"),
    [
        ("studio", True, "there", True),
        ("studio", False, "there", False),
        ("notebook", True, "there", False),
        ("studio", True, "gone", False),
        ("studio", True, "none", False),
    ],
)
def test_a_workbench_keeps_the_repository_it_was_made_with(dev, sagemaker, kind, internet, state, kept):
    """Another would be another start, for which Studio is changed and what runs is closed, and nothing unpacked."""
    sagemaker.domains = {"d-1": NAME} if state == "there" else {}
    if state != "none":
        hand_over()
    wanted = workbench.chosen(dev, kind, None, internet)
    assert workbench.repository_there(dev, wanted) == ("s3://b/r.tar.gz" if kept else None)


# ---- up ----


def test_the_stack_gets_what_is_wanted(dev, sagemaker, stack):
    wanted = workbench.chosen(dev, None, None, True)
    assert workbench.up(dev, wanted, "s3://b/r.tar.gz", quiet) == ["module.workbench[0].x"]
    assert stack.inputs == [
        {
            "kind": "studio",
            "instance_type": "ml.t3.medium",
            "volume_size_gb": 20,
            "idle_minutes": 60,
            "internet_access": True,
            "repository_uri": "s3://b/r.tar.gz",
        }
    ]


@pytest.mark.parametrize(
    ("kind", "instance_type", "volume", "internet", "uri", "closed"),
    [
        ("studio", None, 20, True, "r", []),
        ("studio", "ml.m5.large", 20, True, "r", [NAME]),
        ("studio", None, 30, True, "r", [NAME]),
        ("studio", None, 20, False, "r", [NAME]),
        ("studio", None, 20, True, "another", [NAME]),
        ("notebook", None, 20, True, "r", [NAME]),
    ],
)
def test_jupyterlab_is_closed_only_for_another_machine_network_or_start(
    dev, sagemaker, stack, kind, instance_type, volume, internet, uri, closed
):
    hand_over()
    sagemaker.domains = {"d-1": NAME, "d-2": "another"}
    sagemaker.apps = {("d-1", NAME): {"Status": "InService"}, ("d-2", "theirs"): {"Status": "InService"}}

    def apply(inputs):
        assert sagemaker.apps["d-1", NAME]["Status"] == ("Deleted" if closed else "InService")
        sagemaker.notebook = notebook("InService") if kind == "notebook" else None

    stack.up = apply
    wanted = workbench.chosen(dev, kind, instance_type, internet)
    wanted = wanted.model_copy(update={"volume_size_gb": volume})
    workbench.up(dev, wanted, f"s3://b/{uri}.tar.gz", quiet)
    assert [call["SpaceName"] for call in sagemaker.named("delete_app")] == closed
    assert sagemaker.apps["d-2", "theirs"]["Status"] == "InService"


def test_a_notebook_instance_that_sleeps_sleeps_on_and_one_that_failed_says_why(dev, sagemaker, stack):
    wanted = workbench.chosen(dev, "notebook", None, True)
    sagemaker.notebook = notebook("Updating")
    workbench.up(dev, wanted, "s3://b/r.tar.gz", quiet)
    assert sagemaker.named("start_notebook_instance") == []
    sagemaker.notebook, sagemaker.fails = notebook("Pending"), "The lifecycle script ended with 1"
    with pytest.raises(
        OperatorError, match=r"is Failed: The lifecycle script .*NotebookInstances; .*workbench\.down"
    ):
        workbench.up(dev, wanted, "s3://b/r.tar.gz", quiet)


def test_an_instance_is_changed_once_it_rests(dev, sagemaker, stack):
    hand_over("notebook", domain=None)
    sagemaker.notebook = notebook("Stopping")
    stack.up = lambda inputs: seen.append(sagemaker.notebook["NotebookInstanceStatus"])
    seen: list[str] = []
    workbench.up(dev, workbench.chosen(dev, "notebook", "ml.m5.xlarge", True), "s3://b/r.tar.gz", quiet)
    assert seen == ["Stopped"]


# ---- open ----


def test_an_instance_that_cannot_be_started_says_why(dev, sagemaker, monkeypatch):
    hand_over("notebook", domain=None)
    sagemaker.notebook = notebook("Stopped")

    def start(NotebookInstanceName):
        raise refused("StartNotebookInstance", "ValidationException", "its platform is no more")

    monkeypatch.setattr(sagemaker, "start_notebook_instance", start)
    with pytest.raises(ClientError, match="its platform is no more"):
        workbench.open_url(dev, quiet)


def test_where_there_is_none_its_task_is_named(dev, sagemaker):
    with pytest.raises(OperatorError, match=r"dev has no workbench: run \./inv workbench\.up --env dev"):
        workbench.open_url(dev, quiet)


@pytest.mark.parametrize(
    ("status", "starts"), [("InService", 0), ("Stopped", 1), ("Stopping", 1), ("Pending", 0)]
)
def test_a_notebook_instance_is_woken(dev, sagemaker, status, starts):
    hand_over("notebook", domain=None)
    sagemaker.notebook = notebook(status)
    assert workbench.open_url(dev, quiet) == f"https://{NAME}.notebook/?authToken=x"
    assert len(sagemaker.named("start_notebook_instance")) == starts


@pytest.mark.parametrize(
    ("status", "starts"),
    [(None, 1), ("InService", 0), ("Pending", 0), ("Deleting", 1), ("Deleted", 1), ("Failed", 1)],
)
def test_jupyterlab_is_started_in_its_space(dev, sagemaker, status, starts):
    hand_over()
    if status:
        sagemaker.apps["d-1", NAME] = {"Status": status}
    assert workbench.open_url(dev, quiet) == "https://d-1.studio/auth?token=x"
    created = sagemaker.named("create_app")
    assert len(created) == starts
    spec = {"InstanceType": "ml.t3.large", "LifecycleConfigArn": "arn:config"}
    assert all(
        (c["SpaceName"], c["AppType"], c["AppName"], c["ResourceSpec"])
        == (NAME, "JupyterLab", "default", spec)
        for c in created
    )
    (url,) = sagemaker.named("create_presigned_domain_url")
    assert (url["UserProfileName"], url["SpaceName"], url["ExpiresInSeconds"]) == (NAME, NAME, 300)


def test_whoever_starts_it_at_the_same_time_is_waited_for(dev, sagemaker):
    hand_over()
    sagemaker.raced = True
    assert workbench.open_url(dev, quiet) == "https://d-1.studio/auth?token=x"
    hand_over("notebook", domain=None)
    sagemaker.notebook, sagemaker.raced = notebook("Stopped"), True
    assert workbench.open_url(dev, quiet) == f"https://{NAME}.notebook/?authToken=x"


def test_jupyterlab_that_does_not_start_says_why(dev, sagemaker):
    hand_over()
    sagemaker.fails = "InsufficientCapacity"
    with pytest.raises(
        OperatorError, match=r"failed: InsufficientCapacity\. .*workbench\.open --env dev again"
    ):
        workbench.open_url(dev, quiet)


def test_what_never_ends_is_told(dev, sagemaker, monkeypatch):
    hand_over("notebook", domain=None)
    sagemaker.notebook = notebook("InMaintenance")
    monkeypatch.setattr(studio, "_LONGEST_WAIT", -1)
    with pytest.raises(OperatorError, match=r"still waiting for notebook instance .* \(InMaintenance\)"):
        workbench.open_url(dev, quiet)


# ---- down ----


def applied(dev) -> None:
    body = b'{"resources": [{}]}'
    bucket = stacks.ensure_state_bucket(dev)
    client("s3", REGION).put_object(Bucket=bucket, Key="dev/workbench.tfstate", Body=body)


def test_applications_end_before_the_domain_goes_and_its_file_system_with_it(dev, sagemaker, stack):
    applied(dev)
    sagemaker.domains = {"d-1": NAME}
    sagemaker.apps = {
        ("d-1", NAME): {"Status": "InService"},
        ("d-1", "hers"): {"Status": "Deleting"},
        ("d-1", "his"): {"Status": "Pending"},
        ("d-1", "old"): {"Status": "Failed"},
    }
    system = file_system("d-1")

    def destroy():
        assert {app["Status"] for app in sagemaker.apps.values()} == {"Deleted", "Failed"}
        sagemaker.domains.clear()
        client("efs", REGION).delete_file_system(FileSystemId=system)

    stack.down = destroy
    assert workbench.remove(dev, quiet) == ["module.workbench[0].x"]
    assert [call["SpaceName"] for call in sagemaker.named("delete_app")] == [NAME, "his"]


@pytest.mark.parametrize("status", ["Pending", "Updating", "Stopping"])
def test_a_notebook_instance_goes_once_it_rests(dev, sagemaker, stack, status):
    """Terraform stops one that is in service, and deletes any other at once, which SageMaker refuses."""
    applied(dev)
    sagemaker.notebook = notebook(status)

    def destroy():
        assert sagemaker.notebook["NotebookInstanceStatus"] in ("InService", "Stopped")
        sagemaker.notebook = None

    stack.down = destroy
    assert workbench.remove(dev, quiet) == ["module.workbench[0].x"]


def nfs_groups(vpc: str, domain: str) -> list[str]:
    """The two security groups that SageMaker makes with a domain; each lets the other one."""
    ec2, made = client("ec2", REGION), []
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": studio.OWNER, "Value": f"{ARN}/{domain}"}]}]
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


def vpc(environment: str | None) -> str:
    tags = [
        {"Key": "Project", "Value": "image-classifier"},
        {"Key": "Environment", "Value": str(environment)},
    ]
    return client("ec2", REGION).create_vpc(
        CidrBlock="10.9.0.0/16",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}] if environment else [],
    )["Vpc"]["VpcId"]


def test_security_groups_of_a_domain_go_with_it(dev, sagemaker, stack):
    applied(dev)
    own, default, prods = vpc("dev"), vpc(None), vpc("prod")
    sagemaker.domains = {"d-1": NAME, "d-2": "image-classifier-prod-workbench"}
    ours = [*nfs_groups(default, "d-1"), *nfs_groups(own, "d-7")]  # d-7 went before
    others = [*nfs_groups(default, "d-2"), *nfs_groups(default, "d-8"), *nfs_groups(prods, "d-9")]
    assert {g["GroupId"] for g in studio.security_groups(dev)} == set(ours)
    stack.down = lambda: sagemaker.domains.pop("d-1")
    workbench.remove(dev, quiet)
    left = {group["GroupId"] for group in client("ec2", REGION).describe_security_groups()["SecurityGroups"]}
    assert left.isdisjoint(ours) and left >= set(others)


def test_security_groups_wait_for_the_interfaces_of_the_file_system(dev, sagemaker, monkeypatch):
    groups = nfs_groups(vpc("dev"), "d-7")
    ec2, refusals = client("ec2", REGION), [1, 1, 1]
    real = ec2.delete_security_group

    def delete(GroupId):
        if refusals:
            refusals.pop()
            raise refused("DeleteSecurityGroup", "DependencyViolation", "has a dependent object")
        real(GroupId=GroupId)

    monkeypatch.setattr(ec2, "delete_security_group", delete)
    told: list[str] = []
    studio.delete_security_groups(dev, [], told.append)
    assert studio.security_groups(dev) == []
    assert told[0] == f"waiting to delete security group {', '.join(groups)}" and len(told) == 2


def test_where_there_is_none_terraform_is_not_asked(dev, sagemaker, stack):
    assert workbench.remove(dev, quiet) == []
    assert stack.downs == 0


def test_a_file_system_that_stays_is_named(dev, sagemaker, stack, monkeypatch):
    system = file_system("d-9", key("dev"))
    monkeypatch.setattr(studio, "_LONGEST_WAIT", -1)
    with pytest.raises(OperatorError, match=f"{system} of a Studio domain of dev is still there, and bills"):
        workbench.remove(dev, quiet)


def test_what_terraform_does_not_know_is_named(dev, sagemaker, stack):
    sagemaker.domains, sagemaker.notebook = {"d-1": NAME}, notebook("InService")
    with pytest.raises(
        OperatorError, match=f"^Studio domain d-1 and notebook instance {NAME}, which Terraform did not"
    ):
        workbench.remove(dev, quiet)


def test_file_systems_of_others_are_not_ours(dev, sagemaker):
    sagemaker.domains = {"d-1": NAME, "d-2": "image-classifier-prod-workbench"}
    gone = key("dev")
    ours = [file_system("d-1"), file_system("d-8", gone)]
    file_system("d-2", key("prod"))
    file_system("d-7", key("prod"))
    file_system("d-6")  # with AWS's own key: nobody can tell
    client("efs", REGION).create_file_system(CreationToken="plain", Encrypted=True, KmsKeyId=gone)
    client("kms", REGION).schedule_key_deletion(KeyId=gone.rpartition("/")[2], PendingWindowInDays=7)
    assert sorted(studio.file_systems(dev)) == sorted(ours)


# ---- its state ----


@pytest.mark.parametrize(
    ("kind", "found", "told"),
    [
        ("notebook", None, "missing"),
        ("notebook", "Stopped", "asleep"),
        ("notebook", "InService", "InService"),
        ("studio", None, "asleep"),
        ("studio", "Pending", "Pending"),
        ("studio", "gone", "missing"),
    ],
)
def test_its_state_is_told_in_a_word(dev, sagemaker, kind, found, told):
    sagemaker.domains = {} if found == "gone" else {"d-1": NAME}
    if found and kind == "notebook":
        sagemaker.notebook = notebook(found)
    elif found and found != "gone":
        sagemaker.apps["d-1", NAME] = {"Status": found}
    assert workbench.state(dev, {"kind": kind, "domain_id": "d-1"}) == told
