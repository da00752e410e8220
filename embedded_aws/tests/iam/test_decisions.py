"""Record of access decisions."""

from __future__ import annotations

import json
from pathlib import Path

from access_kit import ACCOUNT, code, policy
from embedded_aws.iam import decisions
from embedded_aws.iam.decisions import DecisionRecord
from embedded_aws.iam.evaluate import Decision, decide, identity, keys_of
from embedded_aws.iam.principals import Principal

ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
CALLER = Principal(
    kind="AssumedRole", arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", identity_arn=ROLE, user_id="i"
)
ALLOWED = Decision(True, "identity-based policy", ("Read",))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_decision_is_recorded_once_with_the_condition_keys_that_policies_use(tmp_path):
    record = DecisionRecord(tmp_path)
    asks = policy(
        {
            "Sid": "Read",
            "Action": "s3:ListBucket",
            "Resource": "*",
            "Condition": {"StringLike": {"s3:prefix": "a/*"}},
        }
    )
    for prefix in ("a/1", "a/1", "a/2"):
        context = {"s3:prefix": prefix, "aws:sourceip": "127.0.0.1"}
        record.note(CALLER, "s3:ListBucket", "arn:aws:s3:::b", context, ALLOWED, asks)
    first, second = lines(tmp_path / decisions.FILE)
    assert first.pop("time") <= second["time"]
    assert first == {
        "principal": ROLE,
        "session": CALLER.arn,
        "action": "s3:ListBucket",
        "resource": "arn:aws:s3:::b",
        "context": {"s3:prefix": "a/1"},
        "allowed": True,
        "reason": "identity-based policy",
        "statements": ["Read"],
    }
    assert second["context"] == {"s3:prefix": "a/2"}


def test_the_record_is_bounded_and_repeats_decisions_that_were_rotated_out(tmp_path):
    record = DecisionRecord(tmp_path, max_bytes=2000)
    for number in range(50):
        for resource in (f"r{number}", "again"):
            record.note(CALLER, "s3:GetObject", resource, {}, ALLOWED)
    kept = [tmp_path / decisions.FILE, tmp_path / f"{decisions.FILE}.1"]
    assert all(path.stat().st_size <= 2000 for path in kept)
    found = [entry["resource"] for path in kept for entry in lines(path)]
    assert "r49" in found and "r0" not in found
    assert "again" in [entry["resource"] for entry in lines(kept[0])]


def test_a_record_that_cannot_be_written_does_not_fail_the_request(tmp_path, caplog):
    record = DecisionRecord(tmp_path / "no-folder")
    record.note(CALLER, "s3:GetObject", "r", {}, ALLOWED)
    assert "decision not recorded" in caplog.text


def test_keys_of_finds_keys_in_conditions_and_policy_variables():
    text = policy(
        {
            "Action": "a:B",
            "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/Team}/*",
            "Condition": {"StringEquals": {"aws:RequestTag/Project": "p"}},
        }
    )
    assert keys_of((text,)) == {"aws:principaltag/team", "aws:requesttag/project"}


def test_a_decision_names_every_statement_that_led_to_it():
    one = {"Sid": "One", "Action": "s3:GetObject", "Resource": "*"}
    assert identity([policy(one, {**one, "Sid": "Two"})], "s3:GetObject", "r", {}) == (True, ("One", "Two"))
    denying = policy(one, {**one, "Sid": "Three", "Effect": "Deny"})
    assert identity([denying], "s3:GetObject", "r", {}) == (False, ("Three",))
    assert identity([denying], "s3:PutObject", "r", {}) == (None, ())
    trust = policy({"Sid": "Jobs", "Action": "sts:AssumeRole", "Principal": {"Service": "x.amazonaws.com"}})
    service = Principal(kind="AWSService", arn="x.amazonaws.com", identity_arn="x.amazonaws.com")
    assert decide(service, "sts:AssumeRole", ROLE, {}, trust, False).statements == ("Jobs",)


def test_allowed_and_denied_requests_are_recorded(embedded_aws, as_role, name):
    clients = as_role({"Sid": "Look", "Action": "ssm:DescribeParameters", "Resource": "*"})
    for _ in range(3):
        assert code(clients("ssm").describe_parameters) == "OK"
        assert code(clients("ssm").get_parameter, Name="/none") == "AccessDeniedException"
    found = [
        (entry["action"], entry["allowed"], entry["statements"])
        for entry in lines(embedded_aws.home / "log" / decisions.FILE)
        if entry["principal"].endswith(f":role/{name}")
    ]
    assert found == [("ssm:DescribeParameters", True, ["Look"]), ("ssm:GetParameter", False, [])]
