"""Reading policy documents, and suppressing findings in them."""

from __future__ import annotations

import re

import pytest

from ops.checks import documents
from ops.checks.findings import Finding
from ops.errors import OperatorError

FOUND = Finding("tool:RISK", "risky", "fix it", "policies/reader.json", 5)
EXCEPTION = """
[[exception]]
document = "reader.json"
sid = "Read"
rule = "tool:RISK"
reason = "{reason}"
"""


def test_the_folder_determines_the_policy_type(repository):
    repository.statement(
        "trust/ec2.json", Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole"
    )
    repository.statement("resources/bucket.json", Principal="*", Action="s3:GetObject")
    repository.statement("stacks/storage.json", Action="s3:GetObject", Resource="*")
    kinds = {document.file: document.kind for document in documents.read(repository.root)}
    assert kinds == {
        "policies/reader.json": "identity",
        "policies/resources/bucket.json": "resource",
        "policies/stacks/storage.json": "identity",
        "policies/trust/ec2.json": "trust",
    }


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('{\n  "Statement": [,]\n}\n', 2, "is not valid JSON"),
        ("", 1, "is not valid JSON"),
        ('{"Version": "2012-10-17"}', 1, "has no Statement"),
        ("[]", 1, "has no Statement"),
        ('{"Statement":\n [{"Resource": "${buket_arn}"}]}', 2, "no sample value for ${buket_arn}"),
    ],
)
def test_an_unreadable_document_is_reported(repository, text, line, message):
    repository.write("policies/bad.json", text)
    (finding,) = documents.broken(documents.read(repository.root), documents.values(repository.root))
    assert (finding.file, finding.line) == ("policies/bad.json", line)
    assert message in finding.what


def test_rendering_keeps_line_numbers(repository):
    (document,) = documents.read(repository.root)
    rendered = document.rendered(documents.values(repository.root))
    assert "${" not in rendered
    assert len(rendered.splitlines()) == len(document.text.splitlines())


def test_sid_at_returns_the_statement_that_contains_the_line():
    text = '{\n"Statement": [\n{\n"Sid": "One",\n"Effect": "Allow"\n},\n{\n"Sid": "Two",\n"Effect": "Deny"\n}]}\n'
    document = documents.Document("policies/x.json", text, "identity")
    assert [document.sid_at(line) for line in (1, 3, 5, 7, 9)] == ["", "One", "One", "Two", "Two"]
    assert document.line_of_sid("Two") == 8


def apply(repository, text: str, findings=(("Read", FOUND),)) -> tuple[Finding, ...]:
    repository.write("policies/exceptions.toml", text)
    return documents.Exceptions(repository.root).apply(list(findings), re.compile("tool:.*"))


def test_an_exception_suppresses_its_finding_with_its_reason(repository):
    (finding,) = apply(repository, EXCEPTION.format(reason="AWS cannot limit it any further"))
    assert finding.reason == "AWS cannot limit it any further"


def test_an_exception_does_not_suppress_other_findings(repository):
    text = EXCEPTION.format(reason="AWS cannot limit it any further")
    other = [("Write", FOUND), ("Read", Finding("tool:OTHER", "", "", FOUND.file)), ("Read", FOUND)]
    assert [bool(f.reason) for f in apply(repository, text, other)] == [False, False, True]


def test_an_exception_without_a_reason_is_reported(repository):
    rules = [f.rule for f in apply(repository, EXCEPTION.format(reason="legacy")) if not f.reason]
    assert rules == ["reason"]


def test_an_exception_without_effect_is_reported_with_its_line(repository):
    text = EXCEPTION.format(reason="AWS cannot limit it any further")
    (stale,) = apply(repository, text, findings=[])
    assert (stale.rule, stale.where) == ("stale", "policies/exceptions.toml:2")


def test_exceptions_of_other_gates_are_ignored(repository):
    text = EXCEPTION.format(reason="AWS cannot limit it any further").replace("tool:", "another:")
    assert apply(repository, text, findings=[]) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [("[[exception]", "not valid TOML"), (EXCEPTION.partition("rule")[0], "lacks reason, rule")],
)
def test_invalid_exceptions_are_refused(repository, text, message):
    with pytest.raises(OperatorError, match=message):
        apply(repository, text)
