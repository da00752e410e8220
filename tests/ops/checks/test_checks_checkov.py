"""checkov's three gates, each on known-bad input that it must refuse: sources, plans, documents."""

from __future__ import annotations

import json

import pytest

from ops.checks import checkov, documents
from tests.ops.checks.small_repository import Repository

pytestmark = pytest.mark.slow

FOLDER = "terraform/foundation"
KNOWN = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}],
}


def told(result) -> set[tuple[str, str]]:
    """Place and rule of what must change."""
    return {(finding.where, finding.rule) for finding in result.open}


# ---- sources ----


@pytest.fixture(scope="module")
def source(tmp_path_factory, tools):
    """checkov on sources with one thing wrong, one excused, and one file that is no Terraform."""
    repository = Repository(tmp_path_factory.mktemp("source"))
    group = '\nresource "aws_cloudwatch_log_group" "%s" {\n%s  name = "a"\n  retention_in_days = 365\n}\n'
    excused = "  #checkov:skip=CKV_AWS_158:nothing in it is secret\n"
    repository.write(f"{FOLDER}/logs.tf", group % ("bad", "") + group % ("good", excused))
    repository.write(f"{FOLDER}/broken.tf", 'resource "aws_s3_bucket" {{{\n')
    return checkov.source(repository.root, tools)


def test_a_bad_resource_is_found_with_its_place(source):
    assert (f"{FOLDER}/logs.tf:2", "CKV_AWS_158") in told(source)


def test_a_skip_excuses_its_resource_alone(source):
    excused = {(f.where, f.rule, f.reason) for f in source.excused}
    assert (f"{FOLDER}/logs.tf:7", "CKV_AWS_158", "nothing in it is secret") in excused
    assert not any(place == f"{FOLDER}/logs.tf:7" for place, _ in told(source))


def test_a_source_that_cannot_be_parsed_is_found(source):
    assert (f"{FOLDER}/broken.tf:1", "parse") in told(source)


# ---- plans ----


def resource(kind: str, values: dict, unknown: dict | None = None, module: str = "") -> dict:
    """A planned resource: what `terraform show -json` tells of it in three places."""
    address = f"{f'module.{module}.' if module else ''}{kind}.this"
    return {
        "address": address,
        "mode": "managed",
        "type": kind,
        "name": "this",
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "values": values,
        "unknown": unknown or {},
        "module": module,
    }


def plan_of(*resources: dict) -> dict:
    def shown(item):
        return {key: item[key] for key in ("address", "mode", "type", "name", "provider_name", "values")}

    def configured(module):
        return [
            {**shown(r), "expressions": {key: {} for key in (*r["values"], *r["unknown"])}}
            for r in resources
            if r["module"] == module
        ]

    modules = sorted({r["module"] for r in resources} - {""})
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "planned_values": {
            "root_module": {
                "resources": [shown(r) for r in resources if not r["module"]],
                "child_modules": [
                    {"address": f"module.{m}", "resources": [shown(r) for r in resources if r["module"] == m]}
                    for m in modules
                ],
            }
        },
        "resource_changes": [
            {
                **{key: r[key] for key in ("address", "mode", "type", "name", "provider_name")},
                "change": {
                    "actions": ["create"],
                    "before": None,
                    "after": r["values"],
                    "after_unknown": r["unknown"],
                },
            }
            for r in resources
        ],
        "configuration": {
            "root_module": {
                "resources": configured(""),
                "module_calls": {
                    m: {"source": f"../modules/{m}", "module": {"resources": configured(m)}} for m in modules
                },
            }
        },
    }


@pytest.fixture(scope="module")
def plan(tmp_path_factory, tools):
    """checkov on a plan: a policy with *, one that is not known, and two modules of which one is excused."""
    repository = Repository(tmp_path_factory.mktemp("plan"))
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    written = '# A policy.\nresource "aws_iam_policy" "this" {\n%s  policy = "{}"\n}\n'
    reason = "  #checkov:skip=CKV_AWS_62:the account's administrator\n"
    repository.write("terraform/modules/open/main.tf", written % "")
    repository.write("terraform/modules/excused/main.tf", written % reason)
    policy = {"name": "all", "policy": json.dumps(everything)}
    content = plan_of(
        resource("aws_iam_role", {"name": "reader"}, unknown={"assume_role_policy": True}),
        resource("aws_iam_policy", policy, module="open"),
        resource("aws_iam_policy", policy, module="excused"),
        resource("aws_iam_policy", {"name": "good", "policy": json.dumps(KNOWN)}),
    )
    return checkov.plan(repository.root, tools, "foundation", content, tmp_path_factory.mktemp("work"))


def test_a_planned_policy_that_allows_everything_is_found_where_it_is_written(plan):
    assert ("terraform/modules/open/main.tf:2", "CKV_AWS_62") in told(plan)


def test_a_skip_excuses_the_resource_of_its_module_alone(plan):
    """checkov itself would look for `aws_iam_policy.this` anywhere."""
    (excused,) = [f for f in plan.excused if f.rule == "CKV_AWS_62"]
    assert (excused.where, excused.reason) == (
        "terraform/modules/excused/main.tf:2",
        "the account's administrator",
    )


def test_a_policy_that_the_plan_does_not_know_is_found(plan):
    assert ("terraform/foundation/main.tf:1", "unknown-policy") in told(plan)


def test_what_is_no_plan_is_found(repository, tools, tmp_path):
    """`terraform show -json` of a state: checkov has nothing to say of it."""
    state = {"format_version": "1.0", "terraform_version": "1.11.4", "values": {"root_module": {}}}
    assert told(checkov.plan(repository.root, tools, "foundation", state, tmp_path)) == {
        ("terraform/foundation:1", "unexamined")
    }


# ---- documents ----


def policies(repository, tools):
    return checkov.policies(repository.root, tools, documents.Exceptions(repository.root))


def test_every_rule_refuses_its_bad_document_and_nothing_is_left_unexamined(repository, tools):
    bucket = "arn:aws:s3:::b/*"
    repository.statement("wildcard.json", Action="s3:*", Resource=bucket)
    repository.statement("exclusion.json", NotAction="iam:CreateUser", Resource="*")
    repository.statement("pass.json", Action="iam:PassRole", Resource="*")
    repository.statement("trust/anybody.json", Principal="*", Action="sts:AssumeRole")
    repository.statement("misspelt.json", Action="s3:GetObjekt", Resource=bucket)
    repository.statement("shape.json", Action="sagemaker:InvokeEndpoint", Resource=bucket)
    repository.write("policies/broken.json", '{"Statement": [}')
    repository.statement("placeholder.json", Action="s3:GetObject", Resource="${no_such}/*")
    result = policies(repository, tools)
    assert {
        ("policies/wildcard.json:5", "CKV_POLICY_1"),
        ("policies/exclusion.json:5", "CKV_POLICY_2"),
        ("policies/pass.json:5", "CKV_POLICY_3"),
        ("policies/trust/anybody.json:5", "CKV_POLICY_4"),
        ("policies/misspelt.json:5", "CKV_POLICY_5"),
        ("policies/shape.json:5", "CKV_POLICY_6"),
        ("policies/broken.json:1", "json"),
    } <= told(result)
    assert any(rule == "placeholder" and "placeholder.json" in place for place, rule in told(result))
    assert not any("reader.json" in place or rule == "unexamined" for place, rule in told(result))
    (wildcard,) = [f for f in result.open if f.rule == "CKV_POLICY_1"]
    assert wildcard.what == "Bad: allows the wildcard action s3:*"


def test_checks_that_do_not_load_are_found(repository, tools):
    """checkov passes everything without its checks, and says nothing."""
    (repository.root / "policies/checks/__init__.py").unlink()
    repository.statement("wildcard.json", Action="*", Resource="*")
    result = policies(repository, tools)
    assert told(result) == {(f"policies/{name}.json:1", "unexamined") for name in ("reader", "wildcard")}
    assert "CKV_POLICY_1, CKV_POLICY_2" in result.open[0].what


def test_checks_that_are_not_there_are_found(repository, tools):
    (repository.root / "policies/checks/policy_checks.py").unlink()
    assert told(policies(repository, tools)) == {("policies/checks:1", "unexamined")}


def test_the_ids_of_the_checks_are_those_that_checkov_reports(repository):
    assert checkov.own_ids(repository.root) == {f"CKV_POLICY_{number}" for number in range(1, 7)}
