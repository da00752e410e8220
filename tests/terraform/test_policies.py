"""The documents in policies/: well-formed, scoped, and supplied with every value by the root that renders them."""

import json
import re
from pathlib import Path
from string import Template

import pytest

from policies.checks import policy_rules
from policies.checks.policy_rules import arn_shapes, as_list

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "policies"
ROLE_DOCUMENTS = sorted(POLICIES.glob("*.json"))
TRUST_DOCUMENTS = sorted((POLICIES / "trust").glob("*.json"))
RESOURCE_DOCUMENTS = sorted((POLICIES / "resources").glob("*.json"))
ALL_DOCUMENTS = ROLE_DOCUMENTS + TRUST_DOCUMENTS + RESOURCE_DOCUMENTS

VALUES = policy_rules.VALUES
RULES = (
    policy_rules.wildcard_actions,
    policy_rules.negated_elements,
    policy_rules.open_pass_role,
    policy_rules.open_principals,
    policy_rules.unknown_actions,
    policy_rules.misfit_resources,
)


def name(path: Path) -> str:
    return str(path.relative_to(POLICIES))


def render(path: Path) -> dict:
    return json.loads(Template(path.read_text()).substitute(VALUES))


def findings(document: dict) -> list[str]:
    """What is wrong with a document by the rules that `./inv check` holds it to, in words; empty if nothing."""
    return [f"{sid}: {complaint}" for rule in RULES for sid, complaint in rule(document)]


def supplied(root: str) -> set[str]:
    """Keys of the `policy_values` map of a Terraform root, and of what is merged into it."""
    text = "\n".join(path.read_text() for path in (ROOT / "terraform" / root).glob("*.tf"))
    blocks = re.findall(
        r"(?:policy_values\s*=\s*|merge\(local\.policy_values, )\{(.*?)\n\s*\}", text, re.DOTALL
    )
    return {key for block in blocks for key in re.findall(r"^\s*(\w+)\s*=", block, re.MULTILINE)}


@pytest.mark.parametrize("path", ALL_DOCUMENTS, ids=name)
def test_document_is_valid_with_its_placeholders_and_without(path):
    source = json.loads(path.read_text())
    assert source["Version"] == "2012-10-17"
    assert "${" not in json.dumps(render(path))
    sids = [statement["Sid"] for statement in source["Statement"]]
    assert len(sids) == len(set(sids))
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)  # IAM refuses others


@pytest.mark.parametrize("path", ALL_DOCUMENTS, ids=name)
def test_root_that_renders_the_document_supplies_every_value(path):
    users = [
        root
        for root in ("foundation", "serving")
        if any(f"}}/{name(path)}" in tf.read_text() for tf in (ROOT / "terraform" / root).glob("*.tf"))
    ]
    assert users, "no root renders it"
    placeholders = set(re.findall(r"\$\{(\w+)\}", path.read_text()))
    for root in users:
        assert placeholders <= supplied(root)


@pytest.mark.parametrize("path", ROLE_DOCUMENTS, ids=name)
def test_role_is_scoped(path):
    assert findings(render(path)) == []


@pytest.mark.parametrize("path", TRUST_DOCUMENTS, ids=name)
def test_trust_is_limited_to_this_account(path):
    for statement in render(path)["Statement"]:
        assert statement["Action"] == "sts:AssumeRole"
        condition = statement.get("Condition", {})
        if statement["Principal"] == {"Service": "ec2.amazonaws.com"}:
            assert condition == {}  # EC2 sends neither key: a condition on one would refuse every instance
        elif "Service" in statement["Principal"]:
            assert condition["StringEquals"]["aws:SourceAccount"] == VALUES["account_id"]
            assert VALUES["account_id"] in condition["ArnLike"]["aws:SourceArn"]
        else:
            assert statement["Principal"] == {"AWS": f"arn:aws:iam::{VALUES['account_id']}:root"}


def test_bucket_policy_denies_plain_http_for_bucket_and_objects():
    (statement,) = render(POLICIES / "resources/bucket.json")["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [VALUES["bucket_arn"], VALUES["bucket_arn"] + "/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_key_policy_names_its_principals_and_conditions_its_use():
    statements = {s["Sid"]: s for s in render(POLICIES / "resources/key.json")["Statement"]}
    for statement in statements.values():
        assert "*" not in json.dumps(statement["Principal"])
        assert all(arn_shapes(action) is not None for action in as_list(statement["Action"]))
    for sid in ("RolesUseKeyForBucket", "RolesEncryptVolumes", "CloudWatchLogsEncrypts"):
        assert statements[sid]["Condition"]
    # Without these the account could no longer change, or delete, its own key.
    assert {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"} <= set(
        statements["AccountAdministersKey"]["Action"]
    )


@pytest.mark.parametrize("document", ["private_s3.json", "private_services.json"])
def test_nothing_but_this_accounts_own_passes_the_private_network(document):
    for statement in render(POLICIES / "resources" / document)["Statement"]:
        resources, actions = as_list(statement["Resource"]), as_list(statement["Action"])
        assert not any("*" in action for action in actions)
        assert all(arn_shapes(action) is not None for action in actions)
        if statement["Sid"] == "ImageLayersOfEcr":  # reached by presigned URLs of AWS's own account
            assert resources == ["arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*"]
            assert actions == ["s3:GetObject"]
            continue
        assert statement["Condition"]["StringEquals"]["aws:PrincipalAccount"] == VALUES["account_id"]
        limited = [shape for action in actions for shape in arn_shapes(action)]
        if resources == ["*"] and limited:
            assert statement["Condition"]["StringEquals"]["aws:ResourceAccount"] == VALUES["account_id"]


def test_private_services_have_statements_each():
    """The stack gives every endpoint those of its service: one without any would let nothing pass."""
    text = (ROOT / "terraform/foundation/network.tf").read_text()
    services = dict(re.findall(r'^\s+"([a-z.]+)"\s+= "([a-z]+)"$', text, re.MULTILINE))
    assert set(services) == {
        "ecr.api", "ecr.dkr", "kms", "logs", "monitoring", "sagemaker.api", "sagemaker.runtime", "sts",
    }  # fmt: skip
    statements = render(POLICIES / "resources/private_services.json")["Statement"]
    # One service a statement: the stack sorts them by their first action.
    prefixes = [{a.partition(":")[0] for a in as_list(statement["Action"])} for statement in statements]
    assert all(len(found) == 1 for found in prefixes)
    assert {found.pop() for found in prefixes} == set(services.values())


def test_interfaces_are_put_into_the_environment_s_own_network_only():
    statements = {s["Sid"]: s for s in render(POLICIES / "network_interfaces.json")["Statement"]}
    for statement in statements.values():
        for resource in as_list(statement["Resource"]):
            if "subnet/" in resource or "security-group/" in resource:
                assert statement["Condition"]["StringEquals"] == {
                    "aws:ResourceTag/Project": "image-classifier", "aws:ResourceTag/Environment": "dev",
                }  # fmt: skip
            else:
                assert "network-interface/" in resource or resource == "*"
    assert all(":Describe" in action for action in statements["LookAtNetwork"]["Action"])


def test_inference_function_invokes_one_endpoint_only():
    document = render(POLICIES / "inference_function.json")
    invoke = [s for s in document["Statement"] if "sagemaker" in json.dumps(s["Action"])]
    assert [(s["Action"], s["Resource"]) for s in invoke] == [
        ("sagemaker:InvokeEndpoint", VALUES["endpoint_arn"])
    ]
