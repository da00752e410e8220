"""Gates source, plan and policies report known problems, and anything that checkov did not examine."""

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


def reported(result) -> set[tuple[str, str]]:
    """Return location and rule of the open findings."""
    return {(finding.where, finding.rule) for finding in result.open}


# ---- sources ----


@pytest.fixture(scope="module")
def source(tmp_path_factory, tools):
    """Return the result for sources with one problem, one suppression and one file with a syntax error.

    The operator's own configuration of checkov skips everything.
    """
    repository = Repository(tmp_path_factory.mktemp("source"))
    group = '\nresource "aws_cloudwatch_log_group" "%s" {\n%s  name = "a"\n  retention_in_days = 365\n}\n'
    suppressed = "  #checkov:skip=CKV_AWS_158:nothing in it is secret\n"
    repository.write(f"{FOLDER}/logs.tf", group % ("bad", "") + group % ("good", suppressed))
    repository.write(f"{FOLDER}/broken.tf", 'resource "aws_s3_bucket" {{{\n')
    home = tmp_path_factory.mktemp("home")
    skips = "skip-check: [CKV_AWS_158, CKV_AWS_338]\nskip-path: [logs.tf, broken.tf]\nsoft-fail: true\n"
    for name in (".checkov.yaml", ".checkov.yml"):
        (home / name).write_text(skips)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("CKV_IGNORED_DIRECTORIES", "terraform")
        return checkov.source(repository.root, tools)


def test_a_problem_is_reported_with_its_location(source):
    assert (f"{FOLDER}/logs.tf:2", "CKV_AWS_158") in reported(source)


def test_a_skip_suppresses_findings_of_its_resource_only(source):
    suppressed = {(f.where, f.rule, f.reason) for f in source.suppressed}
    assert (f"{FOLDER}/logs.tf:7", "CKV_AWS_158", "nothing in it is secret") in suppressed
    assert not any(place == f"{FOLDER}/logs.tf:7" for place, _ in reported(source))


def test_a_syntax_error_is_reported(source):
    assert (f"{FOLDER}/broken.tf:1", "parse") in reported(source)


# ---- plans ----


def resource(kind: str, values: dict, unknown: dict | None = None, module: str = "") -> dict:
    """Return a planned resource, with what `terraform show -json` has of it in three places."""
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
    """Return the plan of these resources."""

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
def plans(tmp_path_factory, tools):
    """Return the results for two plans.

    foundation has a policy of *, an unknown policy, and two modules of which one has a skip. The other is a state.
    """
    repository = Repository(tmp_path_factory.mktemp("plan"))
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    written = '# A policy.\nresource "aws_iam_policy" "this" {\n%s  policy = "{}"\n}\n'
    reason = "  #checkov:skip=CKV_AWS_62:the account's administrator\n"
    repository.write("terraform/modules/open/main.tf", written % "")
    repository.write("terraform/modules/suppressed/main.tf", written % reason)
    policy = {"name": "all", "policy": json.dumps(everything)}
    content = plan_of(
        resource("aws_iam_role", {"name": "reader"}, unknown={"assume_role_policy": True}),
        resource("aws_iam_policy", policy, module="open"),
        resource("aws_iam_policy", policy, module="suppressed"),
        resource("aws_iam_policy", {"name": "good", "policy": json.dumps(KNOWN)}),
    )
    state = {"format_version": "1.0", "terraform_version": "1.11.4", "values": {"root_module": {}}}
    contents = {"foundation": content, "workbench/studio": state}
    return checkov.plan(repository.root, tools, contents, tmp_path_factory.mktemp("work"))


@pytest.fixture
def plan(plans):
    return plans["foundation"]


def test_a_planned_policy_that_allows_everything_is_reported_at_its_source(plan):
    assert ("terraform/modules/open/main.tf:2", "CKV_AWS_62") in reported(plan)


def test_a_skip_suppresses_findings_of_its_module_only(plan):
    """checkov itself would match any `aws_iam_policy.this`."""
    (suppressed,) = [f for f in plan.suppressed if f.rule == "CKV_AWS_62"]
    assert (suppressed.where, suppressed.reason) == (
        "terraform/modules/suppressed/main.tf:2",
        "the account's administrator",
    )


def test_an_unknown_policy_is_reported(plan):
    assert ("terraform/foundation/main.tf:1", "unknown-policy") in reported(plan)


def test_a_state_instead_of_a_plan_is_reported(plans):
    """checkov passes `terraform show -json` of a state without examining it."""
    assert reported(plans["workbench/studio"]) == {("terraform/workbench:1", "unexamined")}


# ---- documents ----


def policies(repository, tools):
    """Return the result for the documents of a repository."""
    return checkov.policies(repository.root, tools, documents.Exceptions(repository.root))


def test_every_custom_check_reports_its_problem(repository, tools):
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
    } <= reported(result)
    assert any(rule == "placeholder" and "placeholder.json" in place for place, rule in reported(result))
    assert not any("reader.json" in place or rule == "unexamined" for place, rule in reported(result))
    (wildcard,) = [f for f in result.open if f.rule == "CKV_POLICY_1"]
    assert wildcard.what == "Bad: allows the wildcard action s3:*"


def test_custom_checks_that_do_not_load_are_reported(repository, tools):
    """Without them, checkov passes everything silently."""
    (repository.root / "policies/checks/__init__.py").unlink()
    repository.statement("wildcard.json", Action="*", Resource="*")
    result = policies(repository, tools)
    assert reported(result) == {(f"policies/{name}.json:1", "unexamined") for name in ("reader", "wildcard")}
    assert "CKV_POLICY_1, CKV_POLICY_2" in result.open[0].what


def test_missing_custom_checks_are_reported(repository, tools):
    (repository.root / "policies/checks/policy_checks.py").unlink()
    assert reported(policies(repository, tools)) == {("policies/checks:1", "unexamined")}


def test_custom_ids_are_read_from_the_sources(repository):
    assert checkov.custom_ids(repository.root) == {f"CKV_POLICY_{number}" for number in range(1, 7)}
