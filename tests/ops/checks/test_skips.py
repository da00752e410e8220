"""Every skip in the sources needs a reason and a place inside a resource."""

from __future__ import annotations

import pytest

from ops.checks import skips

BUCKET = 'resource "aws_s3_bucket" "this" {\n  bucket = "b"\n%s}\n'


def found(repository, text: str) -> list[tuple[int, str]]:
    repository.write("terraform/foundation/main.tf", text)
    result = skips.reasons(repository.root)
    assert result.examined == 1
    assert {f.file for f in result.findings} <= {"terraform/foundation/main.tf"}
    return [(f.line, f.what) for f in result.findings]


def test_a_skip_with_a_reason_passes(repository):
    assert found(repository, BUCKET % "  #checkov:skip=CKV_AWS_18:CloudTrail records what is read\n") == []


@pytest.mark.parametrize(
    ("comment", "problem"),
    [
        ("#checkov:skip=CKV_AWS_18", "skips CKV_AWS_18 without a reason"),
        ("#checkov:skip=CKV_AWS_18:", "skips CKV_AWS_18 without a reason"),
        ("#checkov:skip=CKV_AWS_18:legacy", "with the reason 'legacy' only"),
        ("# bridgecrew:skip=CKV_AWS_18", "skips CKV_AWS_18 without a reason"),
        ("#checkov:skip=CKV_AWS_18,CKV_AWS_21:no", "skips CKV_AWS_18,CKV_AWS_21"),
        ("#checkov:skip=:a reason without a check", "does not name a check"),
    ],
)
def test_a_skip_without_a_reason_is_reported(repository, comment, problem):
    ((line, what),) = found(repository, BUCKET % f"  {comment}\n")
    assert line == 3
    assert problem in what


def test_a_skip_outside_its_resource_is_reported(repository):
    ((line, what),) = found(
        repository, "#checkov:skip=CKV_AWS_18:CloudTrail records what is read\n" + BUCKET % ""
    )
    assert line == 1
    assert "the comment is outside a resource" in what


def test_between_returns_the_skips_of_these_lines_only():
    text = "#checkov:skip=A_1:one\n\n#checkov:skip=A_2,A_3:two, or three\n#checkov:skip=A_4:four\n"
    assert skips.between(text, 2, 3) == {"A_2": "two, or three", "A_3": "two, or three"}
