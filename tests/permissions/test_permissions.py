"""Permissions of roles are compared with their recorded use and with the reasons."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from ops.errors import OperatorError
from ops.permissions import documents, matrix, reasons, record
from ops.permissions.documents import Document, Permission
from ops.permissions.reference import applies

ROLE = "arn:aws:iam::123456789012:role/image-classifier-dev-training"
OTHER = "arn:aws:iam::123456789012:role/image-classifier-dev-endpoint"
BUCKET = "arn:aws:s3:::bucket"
READ = {
    "Sid": "Read",
    "Effect": "Allow",
    "Action": "s3:GetObject",
    "Resource": [f"{BUCKET}/a/*", f"{BUCKET}/b/*"],
}
LIST = {"Sid": "List", "Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": BUCKET}
TRAINING = Document("training", (ROLE,), (READ, LIST))


def decision(action: str, resource: str, *statements: str, role: str = ROLE, allowed: bool = True):
    return record.Decision(
        time=1.0,
        principal=role,
        session="s",
        action=action,
        resource=resource,
        context={},
        allowed=allowed,
        reason="identity-based policy" if allowed else "because",
        statements=statements,
    )


def permission(action: str, resource: str, sid: str = "Read") -> Permission:
    return Permission("training", sid, action, resource)


def given_reasons(**tables: dict[str, str]) -> reasons.Reasons:
    return reasons.Reasons("policies/reasons.toml", tables)


# ---- documents ----


def test_permissions_leave_out_resources_that_the_action_does_not_support():
    assert TRAINING.permissions(applies) == [
        permission("s3:GetObject", f"{BUCKET}/a/*"),
        permission("s3:GetObject", f"{BUCKET}/b/*"),
        permission("s3:ListBucket", BUCKET, "List"),
    ]


@pytest.mark.parametrize(
    ("action", "resource", "fits"),
    [
        ("sagemaker:StopTrainingJob", "arn:aws:sagemaker:us-east-1:123456789012:training-job/p-*", True),
        (
            "sagemaker:StopTrainingJob",
            "arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/p-*",
            False,
        ),
        ("ec2:DescribeInstances", "*", True),
        ("s3:GetObject", BUCKET, False),
    ],
)
def test_applies_compares_resource_types(action, resource, fits):
    assert applies(action, resource) is fits


class Iam:
    """Two roles of the environment with a common managed policy, and a role of another environment."""

    ROLES = (
        "image-classifier-dev-operator",
        "image-classifier-dev-ci-apply",
        "image-classifier-dev2-operator",
    )

    def get_paginator(self, operation):
        answers = {
            "list_roles": lambda: {"Roles": [{"RoleName": r, "Arn": f"arn:{r}"} for r in self.ROLES]},
            "list_role_policies": lambda RoleName: {"PolicyNames": [RoleName]},
            "list_attached_role_policies": lambda RoleName: {
                "AttachedPolicies": [
                    {"PolicyName": "image-classifier-dev-stacks-storage", "PolicyArn": "arn:storage"}
                ]
            },
        }

        class Pages:
            @staticmethod
            def paginate(**asked):
                return [answers[operation](**asked)]

        return Pages

    def get_role_policy(self, RoleName, PolicyName):
        return {"PolicyDocument": {"Statement": READ}}

    def get_policy(self, PolicyArn):
        return {"Policy": {"DefaultVersionId": "v2"}}

    def get_policy_version(self, PolicyArn, VersionId):
        return {"PolicyVersion": {"Document": {"Statement": [LIST]}}}


def test_collect_returns_the_policies_of_the_environment_s_roles():
    found = {d.name: d for d in documents.collect(Iam(), "image-classifier-dev")}
    assert found.keys() == {"operator", "ci-apply", "stacks-storage"}
    assert found["stacks-storage"].roles == tuple(f"arn:{role}" for role in Iam.ROLES[:2])
    assert found["operator"].statements == (READ,)


def test_choose_returns_the_policy_with_the_name():
    assert documents.choose([TRAINING], None) == [TRAINING]
    assert documents.choose([TRAINING], "training") == [TRAINING]
    with pytest.raises(OperatorError, match="--role trainer: unknown policy; the policies are training"):
        documents.choose([TRAINING], "trainer")
    with pytest.raises(OperatorError, match=r"run \./inv apply --stack foundation"):
        documents.choose([], None)


# ---- record ----


def test_the_record_is_read_with_its_predecessor(tmp_path):
    entry = {
        "time": 1.5,
        "principal": ROLE,
        "session": "s",
        "action": "a:B",
        "resource": "r",
        "context": {},
        "allowed": True,
        "reason": "x",
        "statements": ["One"],
    }
    path = tmp_path / "decisions.jsonl"
    assert record.read(path) == []
    path.write_text(json.dumps({**entry, "time": 2.5}) + "\n")
    (tmp_path / "decisions.jsonl.1").write_text(json.dumps(entry) + "\n")
    assert [d.time for d in record.read(path)] == [1.5, 2.5]
    assert record.read(path)[0].statements == ("One",)


# ---- matrix ----


def test_uses_are_counted_by_statement_action_resource_and_role():
    found = matrix.uses(
        [TRAINING],
        [
            decision("s3:GetObject", f"{BUCKET}/a/1", "Read"),
            decision("s3:getobject", f"{BUCKET}/a/2", "Read"),
            decision("s3:GetObject", f"{BUCKET}/a/3", "Read", role=OTHER),
            decision("s3:GetObject", f"{BUCKET}/a/4", "Else"),
            decision("s3:ListBucket", BUCKET, "List", allowed=False),
        ],
    )
    assert +found == Counter({permission("s3:GetObject", f"{BUCKET}/a/*"): 2})


def test_a_policy_of_two_roles_is_used_by_either():
    shared = Document("stacks-storage", (ROLE, OTHER), (READ,))
    found = matrix.uses([shared], [decision("s3:GetObject", f"{BUCKET}/b/1", "Read", role=OTHER)])
    assert list(+found) == [Permission("stacks-storage", "Read", "s3:GetObject", f"{BUCKET}/b/*")]


def test_denials_are_distinct_and_of_these_roles_only():
    refused = decision("s3:PutObject", f"{BUCKET}/a/1", allowed=False)
    elsewhere = decision("s3:PutObject", f"{BUCKET}/a/1", allowed=False, role=OTHER)
    assert matrix.denials([TRAINING], [refused, refused, elsewhere]) == [
        matrix.Denial("image-classifier-dev-training", "s3:PutObject", f"{BUCKET}/a/1", "because")
    ]


@pytest.mark.parametrize(
    ("decisions", "given", "expected"),
    [
        ([("s3:GetObject", f"{BUCKET}/a/1")], {"Read/s3:GetObject/b/*": "Only with an option."}, []),
        ([], {"Read": "Only on AWS itself."}, []),
        (
            [("s3:GetObject", f"{BUCKET}/a/1")],
            {},
            [f"training/Read: s3:GetObject on {BUCKET}/b/* was not used"],
        ),
        (
            [("s3:GetObject", f"{BUCKET}/a/1"), ("s3:GetObject", f"{BUCKET}/b/1")],
            {"Read/s3:GetObject/b/*": "Only with an option."},
            [
                f"training/Read: s3:GetObject on {BUCKET}/b/* was used, but policies/reasons.toml has a reason for not using it"
            ],
        ),
        (
            [("s3:GetObject", f"{BUCKET}/a/1"), ("s3:GetObject", f"{BUCKET}/b/1")],
            {"Write": "Only with an option."},
            ["policies/reasons.toml has a reason for training/Write, which is in no policy"],
        ),
    ],
)
def test_problems(decisions, given, expected):
    document = Document(
        "training", (ROLE,), ({**READ, "Resource": ["arn:aws:s3:::bucket/a/*", f"{BUCKET}/b/*"]},)
    )
    given = {key.replace("/b/*", "/bucket/b/*"): text for key, text in given.items()}
    found = given_reasons(training=given)
    used = matrix.uses([document], [decision(action, resource, "Read") for action, resource in decisions])
    rows = matrix.rows(document.permissions(), used, found)
    problems = matrix.problems(rows, found)
    assert len(problems) == len(expected)
    assert all(text.startswith(start) for text, start in zip(problems, expected, strict=True))


# ---- reasons ----


def test_the_reasons_file_of_this_repository_is_valid():
    assert reasons.load().by_document


def test_a_reason_may_cover_several_policies():
    found = given_reasons(**{"*inference": {"Read": "Only on AWS itself."}})
    assert found.of(Permission("multi-inference", "Read", "s3:GetObject", "r")) == "Only on AWS itself."
    assert found.of(permission("s3:GetObject", "r")) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training\n", "is not valid TOML"),
        (
            '[training]\nRead = "because"\n',
            "training/Read needs a reason of three words or more, not 'because'",
        ),
        ('training = "some text"\n', "training/ needs a reason of three words or more, not None"),
    ],
)
def test_an_invalid_reason_is_refused(tmp_path, text, message):
    (tmp_path / "reasons.toml").write_text(text)
    with pytest.raises(OperatorError, match=message):
        reasons.load(tmp_path / "reasons.toml")
