"""Each rule for policies reports its problem, and good statements pass all rules."""

from __future__ import annotations

import pytest

from policies.checks import policy_rules as rules

ROLE = "arn:aws:iam::123456789012:role/image-classifier-dev-training"
TO_SAGEMAKER = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
OBJECTS = "arn:aws:s3:::bucket/*"
RULES = (
    rules.wildcard_actions,
    rules.negated_elements,
    rules.open_pass_role,
    rules.open_principals,
    rules.unknown_actions,
    rules.misfit_resources,
)


def problems(statement: dict) -> dict[str, list[str]]:
    """Return the problems of a statement by the rule that reports them."""
    document = {"Version": "2012-10-17", "Statement": [{"Sid": "It", "Effect": "Allow", **statement}]}
    reported = {rule.__name__: list(rule(document)) for rule in RULES}
    assert all(sid == "It" for found in reported.values() for sid, _ in found)
    return {name: [text for _, text in found] for name, found in reported.items() if found}


@pytest.mark.parametrize(
    ("statement", "rule", "text"),
    [
        ({"Action": "s3:*", "Resource": OBJECTS}, "wildcard_actions", "s3:*"),
        (
            {"Action": ["s3:GetObject", "s3:Put?bject"], "Resource": OBJECTS},
            "wildcard_actions",
            "s3:Put?bject",
        ),
        ({"Action": "*", "Resource": "*"}, "wildcard_actions", "action *"),
        ({"NotAction": "s3:GetObject", "Resource": "*"}, "negated_elements", "NotAction"),
        ({"Action": "s3:GetObject", "NotResource": OBJECTS}, "negated_elements", "NotResource"),
        ({"Action": "sts:AssumeRole", "NotPrincipal": {"AWS": ROLE}}, "negated_elements", "NotPrincipal"),
        ({"Action": "iam:PassRole", "Resource": ROLE}, "open_pass_role", "iam:PassedToService"),
        ({"Action": "iam:passrole", "Resource": ROLE}, "open_pass_role", "iam:PassedToService"),
        ({"Action": "iam:Pass*", "Resource": ROLE}, "open_pass_role", "iam:PassedToService"),
        (
            {"Action": "iam:PassRole", "Resource": ROLE[:-4] + "*", "Condition": TO_SAGEMAKER},
            "open_pass_role",
            "any role",
        ),
        (
            {"Action": "iam:PassRole", "Resource": ROLE.replace("image", "*"), "Condition": TO_SAGEMAKER},
            "open_pass_role",
            "any role",
        ),
        (
            {
                "Action": "iam:PassRole",
                "Resource": ROLE.replace("123456789012", "*"),
                "Condition": TO_SAGEMAKER,
            },
            "open_pass_role",
            "any role",
        ),
        ({"Action": "sts:AssumeRole", "Principal": "*"}, "open_principals", "every principal"),
        ({"Action": "sts:AssumeRole", "Principal": {"AWS": ["*"]}}, "open_principals", "every principal"),
        ({"Action": "s3:GetObjekt", "Resource": OBJECTS}, "unknown_actions", "s3:GetObjekt"),
        ({"Effect": "Deny", "Action": "s3:PutObjekt", "Resource": "*"}, "unknown_actions", "s3:PutObjekt"),
        ({"NotAction": "s4:GetObject", "Resource": "*"}, "unknown_actions", "s4:GetObject"),
        ({"Action": "s3:GetObject", "Resource": "*"}, "misfit_resources", "every resource"),
        ({"Action": "sagemaker:InvokeEndpoint", "Resource": OBJECTS}, "misfit_resources", "does not apply"),
        (
            {"Action": "ecr:GetAuthorizationToken", "Resource": OBJECTS},
            "misfit_resources",
            "does not support resources",
        ),
        (
            {"Action": "s3:GetObject", "Resource": [OBJECTS, ROLE]},
            "misfit_resources",
            f"no action applies to {ROLE}",
        ),
    ],
)
def test_a_problem_is_reported(statement, rule, text):
    found = problems(statement)
    assert any(text in problem for problem in found.get(rule, [])), found


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "s3:GetObject", "Resource": OBJECTS},
        {"Action": "s3:GetObject", "Resource": "${bucket_arn}/datasets/*"},
        {"Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Action": "iam:PassRole", "Resource": ROLE, "Condition": TO_SAGEMAKER},
        {"Action": "iam:PassRole", "Resource": "${training_role_arn}", "Condition": TO_SAGEMAKER},
        {
            "Action": "iam:PassRole",
            "Resource": "arn:${partition}:iam::${account_id}:role/${prefix}-*-inference",
            "Condition": TO_SAGEMAKER,
        },
        {"Action": "logs:PutLogEvents", "Resource": "arn:aws:logs:us-east-1:123456789012:log-group:*"},
        {"Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": OBJECTS},
        {"Effect": "Deny", "NotAction": "iam:GetRole", "Resource": "*"},
        {
            "Action": "kms:Decrypt",
            "Principal": {"AWS": ROLE},
            "Resource": "*",  # in a key's own policy: that key
        },
        {
            "Action": "s3:GetObject",
            "Principal": "*",
            "Resource": OBJECTS,
            "Condition": {"StringEquals": {"aws:PrincipalAccount": "123456789012"}},
        },
    ],
)
def test_a_good_statement_passes(statement):
    assert problems(statement) == {}


def test_a_statement_without_a_sid_is_named_by_its_number():
    document = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECTS}] * 2}
    document["Statement"][1] = {**document["Statement"][1], "Action": "s3:*"}
    assert list(rules.wildcard_actions(document)) == [("statement 2", "allows the wildcard action s3:*")]


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("a*", "*b", True),
        ("arn:aws:logs:*:log-group:*", "arn:*:logs:*:*:log-group:*:log-stream:*", True),
        ("bucket", "bucket/*", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("", "*", True),
        ("", "a", False),
        ("a*b", "ac*", True),
        ("a*b", "*c", False),
    ],
)
def test_patterns_overlap_if_some_text_matches_both(one, other, do):
    assert rules.overlap(one, other) is do
    assert rules.overlap(other, one) is do
