"""Skips in the sources: with a reason, inside a resource."""

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
    ("comment", "told"),
    [
        ("#checkov:skip=CKV_AWS_18", "skips CKV_AWS_18 and says nothing"),
        ("#checkov:skip=CKV_AWS_18:", "skips CKV_AWS_18 and says nothing"),
        ("#checkov:skip=CKV_AWS_18:legacy", "only 'legacy'"),
        ("# bridgecrew:skip=CKV_AWS_18", "skips CKV_AWS_18 and says nothing"),
        ("#checkov:skip=CKV_AWS_18,CKV_AWS_21:no", "skips CKV_AWS_18,CKV_AWS_21"),
        ("#checkov:skip=:whatever it may be, it stays", "names no check"),
    ],
)
def test_a_skip_without_a_reason_is_found(repository, comment, told):
    ((line, what),) = found(repository, BUCKET % f"  {comment}\n")
    assert line == 3
    assert told in what


def test_a_skip_above_its_resource_takes_no_effect_and_is_found(repository):
    ((line, what),) = found(
        repository, "#checkov:skip=CKV_AWS_18:CloudTrail records what is read\n" + BUCKET % ""
    )
    assert line == 1
    assert "stands outside of a resource" in what


def test_the_skips_of_a_resource_are_those_between_its_lines():
    text = "#checkov:skip=A_1:one\n\n#checkov:skip=A_2,A_3:two, or three\n#checkov:skip=A_4:four\n"
    assert skips.between(text, 2, 3) == {"A_2": "two, or three", "A_3": "two, or three"}
