"""The table of kinds covers every resource type in terraform/, and its prices are known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.inventory import kinds

ROOT = Path(__file__).parents[3]
ACCOUNT = "123456789012"


def resource_types() -> set[str]:
    """Return the types of all resources of all roots and modules."""
    files = [path for path in (ROOT / "terraform").rglob("*.tf") if ".terraform" not in path.parts]
    assert files
    return {
        name
        for path in files
        for name in re.findall(r'^resource "([a-z0-9_]+)"', path.read_text(), re.MULTILINE)
    }


def test_every_resource_type_of_terraform_has_a_kind_or_a_reason():
    covered = {*kinds.terraform_types(), *kinds.PARTS}
    assert resource_types() - covered == set()


def test_no_type_is_left_over_or_named_twice():
    types = [*kinds.terraform_types(), *kinds.PARTS]
    assert sorted(types) == sorted(set(types))
    assert set(types) - resource_types() == set()


def test_kinds_have_different_names_and_arns():
    names = [kind.name for kind in kinds.KINDS]
    starts = [start for kind in kinds.KINDS for start in kind.arns]
    assert len(set(names)) == len(names)
    assert len(set(starts)) == len(starts)


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        (f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/a", "endpoint"),
        (f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint-config/a", "endpoint configuration"),
        (f"arn:aws:sns:us-east-1:{ACCOUNT}:a", "topic"),
        ("arn:aws:s3:::a", "bucket"),
        (f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/a/b", "log group"),
        ("arn:aws:apigateway:us-east-1::/apis/x", "API"),
        (f"arn:aws:iam::{ACCOUNT}:oidc-provider/token", None),
        (f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:a", None),
    ],
)
def test_an_arn_has_one_kind(arn, kind):
    found = kinds.kind_of(arn)
    assert (found and found.name) == kind


def test_an_unknown_kind_has_a_name_for_people():
    assert kinds.type_in(f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:a") == "secretsmanager secret"


@pytest.mark.parametrize(
    ("user", "used"),
    [
        ("instance", "security group"),
        ("NAT gateway", "Elastic IP address"),
        ("network interface", "security group"),
        ("image (AMI)", "snapshot"),
        ("instance", "instance profile"),
        ("instance profile", "role"),
        ("subnet", "VPC"),
        ("endpoint", "endpoint configuration"),
        ("scalable target", "endpoint"),
        ("scalable target", "alarm"),
        ("Studio application", "Studio space"),
        ("Studio space", "Studio user profile"),
        ("Studio user profile", "Studio domain"),
        ("Studio domain", "file system"),
        ("KMS alias", "KMS key"),
        ("bucket", "KMS key"),
    ],
)
def test_what_uses_another_is_deleted_first(user, used):
    names = [kind.name for kind in kinds.KINDS]
    assert names.index(user) < names.index(used)


def test_what_uses_the_foundation_is_of_known_kinds():
    assert {kind.name for kind in kinds.KINDS} >= kinds.USERS
