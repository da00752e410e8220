"""The workbench: options, network, and the repository that it is made from."""

from __future__ import annotations

import pytest

from ml.jobs import repository, wheels
from ops.errors import OperatorError
from ops.outputs import Network
from pipeline.workbench import workbench

NAME = "image-classifier-dev-workbench"


def quiet(text: str) -> None:
    pass


def test_options_of_the_command_line_override_the_settings(env):
    assert workbench.chosen(env.settings, None, None, False) == env.settings.workbench
    wanted = workbench.chosen(env.settings, "notebook", "ml.m5.xlarge", True)
    assert (wanted.kind, wanted.instance_type, wanted.internet) == ("notebook", "ml.m5.xlarge", True)
    assert wanted.volume_size_gb == env.settings.workbench.volume_size_gb == 20


@pytest.mark.parametrize(
    ("kind", "instance_type", "message"),
    [
        ("jupyter", None, r"^--kind jupyter: choose studio or notebook\.$"),
        (
            "studio",
            "ml.t3.mediun",
            r"no instance type 'ml\.t3\.mediun' for studio: did you mean ml\.t3\.medium",
        ),
        ("notebook", "t3.medium", r"no instance type 't3\.medium' for notebook: did you mean ml\.t3\.medium"),
        ("studio", "ml.t2.medium", r"'ml\.t2\.medium' for studio"),  # only for notebook instances
        ("studio", "system", "no instance type 'system'"),
    ],
)
def test_a_wrong_option_is_refused(env, kind, instance_type, message):
    with pytest.raises(OperatorError, match=message):
        workbench.chosen(env.settings, kind, instance_type, False)


def add_network(account, env, foundation) -> None:
    network = Network(subnet_ids=["subnet-1"], training_security_group_ids=["sg-1"])
    account.publish("foundation", {**foundation.model_dump(), "network": network.model_dump()})
    env.outputs.forget()


def test_without_a_private_network_it_needs_internet_access(account, env, foundation):
    wanted = workbench.chosen(env.settings, None, None, False)
    with pytest.raises(
        OperatorError,
        match=r"workbench\.up --env dev --internet, or set vpc = true under \[network\] in "
        r"environments/dev\.toml and run \./inv apply --stack foundation --env dev",
    ):
        workbench.check_network(env, wanted)
    workbench.check_network(env, wanted.model_copy(update={"internet": True}))
    add_network(account, env, foundation)
    workbench.check_network(env, wanted)


@pytest.mark.parametrize(
    ("kind", "internet", "refused"),
    [("studio", False, True), ("studio", True, False), ("notebook", False, False)],
)
def test_studio_with_internet_access_cannot_move_to_the_private_network(
    account, env, foundation, publish, kind, internet, refused
):
    """The Terraform provider cannot do it: it sends no VPC with the change."""
    publish()
    add_network(account, env, foundation)
    wanted = workbench.chosen(env.settings, kind, None, internet)
    if not refused:
        return workbench.check_network(env, wanted)
    with pytest.raises(
        OperatorError, match=r"cannot move .* --env dev --internet to keep it.*workbench\.down"
    ):
        workbench.check_network(env, wanted)


@pytest.mark.parametrize("internet", [True, False])
def test_the_repository_is_uploaded_once_and_has_wheels_without_internet_access(
    env, foundation, monkeypatch, tmp_path, internet
):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.py").write_text("content")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a.whl").write_text("a wheel")
    kinds = []
    monkeypatch.setattr(repository, "ROOT", tmp_path / "root")
    monkeypatch.setattr(repository, "WORK", tmp_path / "work")
    monkeypatch.setattr(wheels, "folder", lambda kind, _: kinds.append(kind) or tmp_path / "wheels")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    s3, bucket = env.client("s3"), env.data_bucket
    wanted = workbench.chosen(env.settings, "notebook", None, internet)

    uri, uploaded = workbench.choose_repository(env, wanted, quiet)
    assert uploaded
    assert uri.startswith(f"s3://{bucket}/code/") and uri.endswith("/repository.tar.gz")
    stored = s3.head_object(Bucket=bucket, Key=uri.removeprefix(f"s3://{bucket}/"))
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", foundation.kms_key_arn)
    assert kinds == ([] if internet else ["notebook"])
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert workbench.choose_repository(env, wanted, quiet)[0] == uri
    (tmp_path / "root" / "a.py").write_text("changed")
    assert workbench.choose_repository(env, wanted, quiet)[0] != uri
    versions = s3.list_object_versions(Bucket=bucket, Prefix="code/")["Versions"]
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("kind", "internet", "state", "kept"),
    [
        ("studio", True, "exists", True),
        ("studio", False, "exists", False),
        ("notebook", True, "exists", False),
        ("studio", True, "deleted", False),
        ("studio", True, "none", False),
    ],
)
def test_a_workbench_keeps_the_repository_it_was_made_with(
    env, sagemaker, publish, kind, internet, state, kept
):
    """Another one would change the start of Studio and end what is running, but not be unpacked."""
    sagemaker.domains = {"d-1": NAME} if state == "exists" else {}
    if state != "none":
        publish()
    wanted = workbench.chosen(env.settings, kind, None, internet)
    assert workbench.existing_repository(env, wanted) == ("s3://b/r.tar.gz" if kept else None)
