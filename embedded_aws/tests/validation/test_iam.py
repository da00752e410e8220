"""IAM: policy documents, quotas and tags."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from access_kit import ACCOUNT, allow, code, policy, refusal, trust

OTHER = "111122223333"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
TRUST = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}


def document(statement: Any, **top: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statement, **top})


def changed(statement: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return a statement with other members; None removes one."""
    return {name: value for name, value in {**statement, **members}.items() if value is not None}


@pytest.fixture(scope="module")
def iam(embedded_aws: Any) -> Any:
    client = embedded_aws.client("iam")
    client.create_role(RoleName="policed", AssumeRolePolicyDocument=trust(AWS=ACCOUNT))
    return client


BAD_TRUST = {
    "a role that does not exist": (
        {"AWS": f"arn:aws:iam::{ACCOUNT}:role/missing"},
        'Invalid principal in policy: "AWS":',
    ),
    "a user that does not exist": (
        {"AWS": f"arn:aws:iam::{ACCOUNT}:user/missing"},
        "Invalid principal in policy",
    ),
    "a session of no role": (
        {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/missing/s"},
        "Invalid principal in policy",
    ),
    "a group": ({"AWS": f"arn:aws:iam::{ACCOUNT}:group/g"}, "Invalid principal in policy"),
    "a wildcard in an ARN": ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"}, "Invalid principal in policy"),
    "a name": ({"AWS": "someone"}, 'Invalid principal in policy: "AWS":"someone"'),
    "an unknown service": (
        {"Service": "sagmaker.amazonaws.com"},
        'Invalid principal in policy: "SERVICE":"sagmaker',
    ),
    "a service's name alone": ({"Service": "sagemaker"}, 'Invalid principal in policy: "SERVICE"'),
    "one unknown service of two": (
        {"Service": ["ec2.amazonaws.com", "ec3.amazonaws.com"]},
        '"ec3.amazonaws.com"',
    ),
    "an unknown type": ({"Role": "x"}, "Invalid principal in policy"),
    "an unknown provider": ({"Federated": "example.com"}, 'Invalid principal in policy: "FEDERATED"'),
    "nothing": ({}, "Invalid principal in policy"),
    "text": ("someone", "Invalid principal in policy"),
}


@pytest.mark.parametrize("case", BAD_TRUST)
def test_trust_policies_name_principals_that_exist(iam: Any, case: str) -> None:
    principal, message = BAD_TRUST[case]
    text = document(changed(TRUST, Principal=principal))
    for call, arguments in (
        (iam.create_role, {"RoleName": "never", "AssumeRolePolicyDocument": text}),
        (iam.update_assume_role_policy, {"RoleName": "policed", "PolicyDocument": text}),
    ):
        status, found, words = refusal(call, **arguments)
        assert (status, found) == (400, "MalformedPolicyDocument")
        assert message in words


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": [OTHER, ROOT, f"arn:aws:iam::{OTHER}:role/theirs"]},
        {"AWS": f"arn:aws:iam::{ACCOUNT}:role/policed"},
        {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/policed/session"},
        {
            "Service": [
                "sagemaker.amazonaws.com",
                "states.us-east-1.amazonaws.com",
                "vpc-flow-logs.amazonaws.com",
            ]
        },
        {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"},
        {"Federated": "cognito-identity.amazonaws.com"},
    ],
)
def test_legal_principals_are_accepted(iam: Any, principal: Any) -> None:
    iam.update_assume_role_policy(
        RoleName="policed", PolicyDocument=document(changed(TRUST, Principal=principal))
    )


BAD_TRUST_ELEMENTS = [
    (document(changed(TRUST, Resource="*")), "Has prohibited field Resource"),
    (document(changed(TRUST, Principal=None)), "Missing required field Principal"),
    (document(changed(TRUST, Action=None)), "Missing required field Action"),
    (document(changed(TRUST, Effect=None)), "Missing required field Effect"),
    (document(changed(TRUST, Effect="allow")), "Invalid effect: allow"),
    (
        document(changed(TRUST, Action="s3:GetObject")),
        "AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    (document(changed(TRUST, Actions="sts:AssumeRole")), "Unknown field Actions"),
    (document(changed(TRUST, Principals={"AWS": ACCOUNT})), "Unknown field Principals"),
    (document(TRUST, Statements=[]), "Unknown field Statements"),
    (document(TRUST, Version="2012-10-18"), "The policy must contain a valid version string"),
    (document([]), "Missing required field Statement"),
    (
        document(changed(TRUST, Condition={"StringEqual": {"aws:SourceAccount": "1"}})),
        "Invalid Condition type : StringEqual",
    ),
    (
        document(changed(TRUST, Condition={"StringEquals": {"SourceAccount": "1"}})),
        "must be prefaced by a vendor",
    ),
    (document(changed(TRUST, Sid="not allowed")), "must be alpha-numeric"),
    (document([changed(TRUST, Sid="A"), changed(TRUST, Sid="A")]), "must be unique"),
    ('{"Version": "2012-10-17", "Version": "2012-10-17", "Statement": []}', "invalid Json"),
    ("[]", "invalid Json"),
    ("{", "invalid Json"),
]


@pytest.mark.parametrize(("text", "message"), BAD_TRUST_ELEMENTS)
def test_trust_policies_with_misspelt_elements_are_refused(iam: Any, text: str, message: str) -> None:
    status, found, words = refusal(iam.create_role, RoleName="never", AssumeRolePolicyDocument=text)
    assert (status, found) == (400, "MalformedPolicyDocument")
    assert message in words


BAD_IDENTITY = [
    (document(changed(ALLOW, Principal="*")), "Policy document should not specify a principal."),
    (document(changed(ALLOW, Resource=None)), "Policy statement must contain resources."),
    (document(changed(ALLOW, Action=None)), "Policy statement must contain actions."),
    (document(changed(ALLOW, Action="GetObject")), "must be prefaced by a vendor"),
    (document(changed(ALLOW, Action="s3:Get:Object")), "can contain only one colon"),
    (document(changed(ALLOW, Action="s 3:GetObject")), "Vendor s 3 is not valid"),
    (document(changed(ALLOW, Action="s3:Get Object")), "Syntax errors"),
    (document(changed(ALLOW, Resource="bucket")), 'Resource bucket must be in ARN format or "*".'),
    (document(changed(ALLOW, Effect="Permit")), "Syntax errors"),
    (document(changed(ALLOW, Condition={"StringIs": {"aws:username": "x"}})), "Syntax errors"),
    (
        document(changed(ALLOW, Condition={"DateLessThan": {"aws:CurrentTime": "soon"}})),
        "failed legacy parsing",
    ),
    (document(changed(ALLOW, Action="*", NotAction="*")), "Syntax errors"),
    (document(ALLOW, Version="2008-10-17"), "Policy document must be version 2012-10-17 or greater."),
    (document(ALLOW, Foo=1), "Syntax errors"),
]


@pytest.mark.parametrize(("text", "message"), BAD_IDENTITY)
def test_identity_policies_follow_the_grammar(iam: Any, text: str, message: str) -> None:
    for call, arguments in (
        (iam.create_policy, {}),
        (iam.put_role_policy, {"RoleName": "policed"}),
    ):
        status, found, words = refusal(call, PolicyName="never", PolicyDocument=text, **arguments)
        assert (status, found) == (400, "MalformedPolicyDocument")
        assert message in words


def padded(length: int) -> str:
    """Return a policy with a number of characters that count."""
    text = document(changed(ALLOW, Resource="arn:aws:s3:::"))
    missing = length - len("".join(text.split()))
    return document(changed(ALLOW, Resource="arn:aws:s3:::" + "b" * missing))


def test_policies_have_a_limited_size(iam: Any) -> None:
    name = uuid.uuid4().hex
    too_long = refusal(iam.create_policy, PolicyName=name, PolicyDocument=padded(6145))
    assert too_long == (409, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
    assert code(iam.create_policy, PolicyName=name, PolicyDocument=padded(6144)) == "OK"
    put = {"RoleName": "policed", "PolicyName": "p"}
    assert code(iam.put_role_policy, PolicyDocument=padded(10_241), **put) == "LimitExceeded"
    assert code(iam.put_role_policy, PolicyDocument=padded(10_240), **put) == "OK"
    assert code(iam.put_role_policy, PolicyDocument=padded(10_000), **put) == "OK"
    other = {"RoleName": "policed", "PolicyName": "q"}
    assert code(iam.put_role_policy, PolicyDocument=padded(400), **other) == "LimitExceeded"
    long = document(changed(TRUST, Principal={"AWS": [OTHER] * 150}))
    assert code(iam.create_role, RoleName=name, AssumeRolePolicyDocument=long) == "LimitExceeded"


def test_numbers_of_policies_and_versions_are_limited(iam: Any) -> None:
    name = uuid.uuid4().hex
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(AWS=ACCOUNT))
    text = policy(allow("s3:GetObject"))
    arns = [
        iam.create_policy(PolicyName=f"{name}{n}", PolicyDocument=text)["Policy"]["Arn"] for n in range(11)
    ]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    assert code(iam.attach_role_policy, RoleName=name, PolicyArn=arns[9]) == "OK"
    assert refusal(iam.attach_role_policy, RoleName=name, PolicyArn=arns[10])[:2] == (409, "LimitExceeded")
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arns[0], PolicyDocument=text)
    assert code(iam.create_policy_version, PolicyArn=arns[0], PolicyDocument=text) == "LimitExceeded"
    assert code(iam.delete_role, RoleName=name) == "DeleteConflict"
    assert code(iam.delete_policy, PolicyArn=arns[1]) == "DeleteConflict"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([{"Key": "aws:x", "Value": "v"}], "InvalidInput"),
        ([{"Key": "AWS:x", "Value": "v"}], "InvalidInput"),
        ([{"Key": "k", "Value": "v"}, {"Key": "K", "Value": "v"}], "InvalidInput"),
        ([{"Key": f"k{n}", "Value": "v"} for n in range(50)], "OK"),
        ([{"Key": "one more", "Value": "v"}], "LimitExceeded"),
    ],
)
def test_tags(iam: Any, tags: list[dict[str, str]], expected: str) -> None:
    assert code(iam.tag_role, RoleName="policed", Tags=tags) == expected


def test_names_are_not_distinguished_by_case(iam: Any) -> None:
    text = trust(AWS=ACCOUNT)
    assert code(iam.create_role, RoleName="POLICED", AssumeRolePolicyDocument=text) == "EntityAlreadyExists"
