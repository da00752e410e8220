"""Documents, record, reasons and the matrix that is made of them."""

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


def on_file(**tables: dict[str, str]) -> reasons.Reasons:
    return reasons.Reasons("policies/reasons.toml", tables)


# ---- documents ----


def test_pairs_leave_out_what_an_action_has_nothing_to_do_with():
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
def test_which_resources_an_action_applies_to(action, resource, fits):
    assert applies(action, resource) is fits


class Iam:
    """Two roles of the environment with a managed policy in common, and one of another."""

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


def test_documents_are_those_of_the_environment_s_roles():
    found = {d.name: d for d in documents.collect(Iam(), "image-classifier-dev")}
    assert found.keys() == {"operator", "ci-apply", "stacks-storage"}
    assert found["stacks-storage"].roles == tuple(f"arn:{role}" for role in Iam.ROLES[:2])
    assert found["operator"].statements == (READ,)


def test_a_document_is_chosen_by_name():
    assert documents.choose([TRAINING], None) == [TRAINING]
    assert documents.choose([TRAINING], "training") == [TRAINING]
    with pytest.raises(OperatorError, match="--role trainer: there is no such policy here, but training"):
        documents.choose([TRAINING], "trainer")
    with pytest.raises(OperatorError, match=r"run \./inv apply --stack foundation"):
        documents.choose([], None)


# ---- record ----


def test_the_record_is_read_with_the_file_before_it(tmp_path):
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


def test_a_use_is_counted_for_the_statement_the_action_the_resource_and_the_role():
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


def test_a_document_of_two_roles_is_used_by_either():
    shared = Document("stacks-storage", (ROLE, OTHER), (READ,))
    found = matrix.uses([shared], [decision("s3:GetObject", f"{BUCKET}/b/1", "Read", role=OTHER)])
    assert list(+found) == [Permission("stacks-storage", "Read", "s3:GetObject", f"{BUCKET}/b/*")]


def test_denials_are_those_of_the_documents_roles_each_once():
    refused = decision("s3:PutObject", f"{BUCKET}/a/1", allowed=False)
    elsewhere = decision("s3:PutObject", f"{BUCKET}/a/1", allowed=False, role=OTHER)
    assert matrix.denials([TRAINING], [refused, refused, elsewhere]) == [
        matrix.Denial("image-classifier-dev-training", "s3:PutObject", f"{BUCKET}/a/1", "because")
    ]


@pytest.mark.parametrize(
    ("decisions", "why", "complaints"),
    [
        ([("s3:GetObject", f"{BUCKET}/a/1")], {"Read/s3:GetObject/b/*": "Only with an option."}, []),
        ([], {"Read": "Only on AWS itself."}, []),
        (
            [("s3:GetObject", f"{BUCKET}/a/1")],
            {},
            [f"training/Read: s3:GetObject on {BUCKET}/b/* was never used"],
        ),
        (
            [("s3:GetObject", f"{BUCKET}/a/1"), ("s3:GetObject", f"{BUCKET}/b/1")],
            {"Read/s3:GetObject/b/*": "Only with an option."},
            [
                f"training/Read: s3:GetObject on {BUCKET}/b/* was used, and policies/reasons.toml says why it is not"
            ],
        ),
        (
            [("s3:GetObject", f"{BUCKET}/a/1"), ("s3:GetObject", f"{BUCKET}/b/1")],
            {"Write": "Only with an option."},
            ["policies/reasons.toml gives a reason for training/Write, which no policy has"],
        ),
    ],
)
def test_problems(decisions, why, complaints):
    document = Document(
        "training", (ROLE,), ({**READ, "Resource": ["arn:aws:s3:::bucket/a/*", f"{BUCKET}/b/*"]},)
    )
    why = {key.replace("/b/*", "/bucket/b/*"): text for key, text in why.items()}
    found = on_file(training=why)
    used = matrix.uses([document], [decision(action, resource, "Read") for action, resource in decisions])
    rows = matrix.rows(document.permissions(), used, found)
    told = matrix.problems(rows, found)
    assert len(told) == len(complaints)
    assert all(text.startswith(complaint) for text, complaint in zip(told, complaints, strict=True))


# ---- reasons ----


def test_the_reasons_on_file_are_well_formed():
    assert reasons.load().by_document


def test_a_reason_may_be_for_several_documents():
    found = on_file(**{"*inference": {"Read": "Only on AWS itself."}})
    assert found.of(Permission("multi-inference", "Read", "s3:GetObject", "r")) == "Only on AWS itself."
    assert found.of(permission("s3:GetObject", "r")) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[training\n", "is not valid TOML"),
        ('[training]\nRead = "because"\n', "training/Read needs a reason of some words, not 'because'"),
        ('training = "whatever may come"\n', "training/ needs a reason of some words, not None"),
    ],
)
def test_a_reason_says_something(tmp_path, text, told):
    (tmp_path / "reasons.toml").write_text(text)
    with pytest.raises(OperatorError, match=told):
        reasons.load(tmp_path / "reasons.toml")
