"""cloudsplaining and parliament report known problems."""

from __future__ import annotations

import pytest

from ops.checks import documents, policy_linters
from ops.errors import OperatorError

pytestmark = pytest.mark.slow


def found(tool: str, repository, tools) -> set[tuple[str, str]]:
    result = policy_linters.lint(tool, repository.root, tools, documents.Exceptions(repository.root))
    return {(finding.where, finding.rule) for finding in result.open}


def test_cloudsplaining_reports_risks_of_identity_policies(repository, tools):
    repository.statement("escalate.json", Action=["iam:PutRolePolicy", "iam:CreateAccessKey"], Resource="*")
    repository.statement("leak.json", Action=["s3:GetObject", "secretsmanager:GetSecretValue"], Resource="*")
    repository.statement("service.json", Action="sqs:*", Resource="*")
    repository.statement("resources/key.json", Principal={"AWS": "*"}, Action="kms:*", Resource="*")
    reported = found("cloudsplaining", repository, tools)
    assert {
        ("policies/escalate.json:1", "cloudsplaining:PrivilegeEscalation"),
        ("policies/escalate.json:5", "cloudsplaining:ResourceExposure"),
        ("policies/escalate.json:5", "cloudsplaining:CredentialsExposure"),
        ("policies/leak.json:5", "cloudsplaining:DataExfiltration"),
        ("policies/service.json:5", "cloudsplaining:ServiceWildcard"),
        ("policies/service.json:5", "cloudsplaining:InfrastructureModification"),
    } <= reported
    assert not any("reader" in place or "resources" in place for place, _ in reported)


def test_parliament_reports_invalid_actions_resources_and_conditions(repository, tools):
    bucket = "arn:aws:s3:::b/*"
    repository.statement("misspelt.json", Action="s3:GetObjekt", Resource=bucket)
    repository.statement("shape.json", Action="s3:GetObject", Resource="arn:aws:s3:::b")
    repository.statement(
        "condition.json",
        Action="s3:GetObject",
        Resource=bucket,
        Condition={"StringEquals": {"s3:prefiks": "a"}},
    )
    repository.statement(
        "trust/misspelt.json", Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AsumeRole"
    )
    repository.statement(
        "trust/good.json", Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole"
    )
    repository.statement(
        "resources/good.json", Principal={"AWS": "123456789012"}, Action="kms:Decrypt", Resource="*"
    )
    reported = found("parliament", repository, tools)
    assert {(place.partition(":")[0], rule.partition(":")[2]) for place, rule in reported} == {
        ("policies/misspelt.json", "UNKNOWN_ACTION"),
        ("policies/shape.json", "RESOURCE_MISMATCH"),
        ("policies/condition.json", "UNKNOWN_CONDITION_FOR_ACTION"),
        ("policies/trust/misspelt.json", "UNKNOWN_ACTION"),
    }
    assert not any(place.endswith(":1") for place, _ in reported)


def test_parliament_accepts_a_resource_type_that_another_statement_allows(repository, tools):
    """CreateEndpoint needs the endpoint and its configuration, which may be in separate statements."""
    place = "arn:aws:sagemaker:us-east-1:123456789012:"
    create = {"Effect": "Allow", "Action": "sagemaker:CreateEndpoint"}
    statements = [
        {"Sid": "Endpoint", **create, "Resource": f"{place}endpoint/a"},
        {"Sid": "Configuration", **create, "Resource": f"{place}endpoint-config/a"},
    ]
    repository.policy("both.json", Version="2012-10-17", Statement=statements)
    repository.policy("one.json", Version="2012-10-17", Statement=statements[:1])
    assert {place for place, _ in found("parliament", repository, tools)} == {"policies/one.json:4"}


def test_an_exception_suppresses_the_finding_of_its_statement(repository, tools):
    repository.statement("pull.json", Action="ecr:GetAuthorizationToken", Resource="*")
    assert found("cloudsplaining", repository, tools)
    repository.write(
        "policies/exceptions.toml",
        '[[exception]]\ndocument = "pull.json"\nsid = "Bad"\nrule = "cloudsplaining:CredentialsExposure"\n'
        'reason = "ecr:GetAuthorizationToken does not support resources"\n',
    )
    assert found("cloudsplaining", repository, tools) == set()


def test_a_failing_tool_is_reported(repository, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(OperatorError, match="parliament failed: no such module"):
        found("parliament", repository, python)
