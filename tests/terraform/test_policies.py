"""The documents in policies/: valid, least-privilege, and rendered with every value they need."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from string import Template

import pytest

from policies.checks import policy_rules
from policies.checks.policy_rules import arn_shapes, as_list

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "policies"
ROLE_DOCUMENTS = [
    POLICIES / "boundary.json",
    *sorted((POLICIES / "roles").glob("*.json")),
    *sorted((POLICIES / "stacks").glob("*.json")),
]
ROOTS = ("access", "foundation", "serving", "training_host", "workbench")
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
    return json.loads(Template(path.read_text(encoding="utf-8")).substitute(VALUES))


@pytest.fixture(scope="session")
def holds(embedded_aws) -> Callable[[dict, dict[str, str]], bool]:
    """Return a function that evaluates a Condition element with IAM's policy simulation."""
    iam = embedded_aws.client("iam")

    def evaluate(condition: dict, context: dict[str, str]) -> bool:
        statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}
        answer = iam.simulate_custom_policy(
            PolicyInputList=[json.dumps({"Version": "2012-10-17", "Statement": [statement]})],
            ActionNames=["s3:GetObject"],
            ContextEntries=[
                {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                for key, value in context.items()
            ],
        )
        return answer["EvaluationResults"][0]["EvalDecision"] == "allowed"

    return evaluate


def findings(document: dict) -> list[str]:
    """Return the problems that the rules of `./inv check` find in a document."""
    return [f"{sid}: {problem}" for rule in RULES for sid, problem in rule(document)]


def supplied(root: str) -> set[str]:
    """Return the keys of the `policy_values` map of a Terraform root, and of the maps merged into it."""
    text = "\n".join(path.read_text() for path in (ROOT / "terraform" / root).glob("*.tf"))
    blocks = re.findall(
        r"(?:policy_values\s*=\s*|merge\(local\.policy_values, )\{(.*?)\n\s*\}", text, re.DOTALL
    )
    return {key for block in blocks for key in re.findall(r"^\s*(\w+)\s*=", block, re.MULTILINE)}


@pytest.mark.parametrize("path", ALL_DOCUMENTS, ids=name)
def test_a_document_is_valid_json_before_and_after_rendering(path):
    source = json.loads(path.read_text())
    assert source["Version"] == "2012-10-17"
    assert "${" not in json.dumps(render(path))
    sids = [statement["Sid"] for statement in source["Statement"]]
    assert len(sids) == len(set(sids))
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)  # as IAM requires


@pytest.mark.parametrize("path", ALL_DOCUMENTS, ids=name)
def test_every_root_that_renders_a_document_supplies_its_values(path):
    users = [
        root
        for root in ROOTS
        if any(
            f"}}/{shown}" in tf.read_text()
            for tf in (ROOT / "terraform" / root).glob("*.tf")
            for shown in (name(path), name(path).replace(path.stem, "${each.key}"))
        )
    ]
    assert users, "no root renders this document"
    placeholders = set(re.findall(r"\$\{(\w+)\}", path.read_text()))
    for root in users:
        assert placeholders <= supplied(root)


@pytest.mark.parametrize("path", ROLE_DOCUMENTS, ids=name)
def test_a_role_document_follows_the_rules(path):
    assert findings(render(path)) == []


@pytest.mark.parametrize("path", TRUST_DOCUMENTS, ids=name)
def test_a_trust_policy_admits_this_account_only(path):
    for statement in render(path)["Statement"]:
        condition = statement.get("Condition", {})
        if "Federated" in statement["Principal"]:
            assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
            assert statement["Principal"]["Federated"].startswith(
                f"arn:aws:iam::{VALUES['account_id']}:oidc-"
            )
            host = "token.actions.githubusercontent.com"
            assert condition.keys() == {"StringEquals"}  # not StringLike
            assert condition["StringEquals"][f"{host}:aud"] == "sts.amazonaws.com"
            trigger = r"(pull_request|ref:refs/heads/main|environment:\w+)"
            for subject in as_list(condition["StringEquals"][f"{host}:sub"]):
                assert re.fullmatch(rf"repo:{VALUES['repository']}:{trigger}", subject)
            continue
        assert statement["Action"] == "sts:AssumeRole"
        if statement["Principal"] == {"Service": "ec2.amazonaws.com"}:
            assert condition == {}  # EC2 sends no source keys: a condition on one would deny every instance
        elif "Service" in statement["Principal"]:
            assert condition["StringEquals"]["aws:SourceAccount"] == VALUES["account_id"]
            assert VALUES["account_id"] in condition["ArnLike"]["aws:SourceArn"]
        else:
            assert statement["Principal"] == {"AWS": f"arn:aws:iam::{VALUES['account_id']}:root"}


def test_the_bucket_policy_denies_plain_http_for_bucket_and_objects():
    statement = render(POLICIES / "resources/bucket.json")["Statement"][0]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [VALUES["bucket_arn"], VALUES["bucket_arn"] + "/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


KEY_HEADER = "s3:x-amz-server-side-encryption-aws-kms-key-id"
ACCOUNT_KEY = f"arn:aws:kms:us-east-1:{VALUES['account_id']}:key/1"


@pytest.mark.parametrize(
    ("denied", "context"),
    [
        (None, {}),  # default bucket encryption applies
        (None, {"s3:x-amz-server-side-encryption": "aws:kms", KEY_HEADER: ACCOUNT_KEY}),
        ("DenyOtherEncryption", {"s3:x-amz-server-side-encryption": "AES256"}),
        ("DenyOtherEncryption", {"s3:x-amz-server-side-encryption": "aws:kms:dsse", KEY_HEADER: ACCOUNT_KEY}),
        (
            "DenyKeysOfOtherAccounts",
            {
                "s3:x-amz-server-side-encryption": "aws:kms",
                KEY_HEADER: "arn:aws:kms:us-east-1:763104351884:key/1",
            },
        ),
        ("DenyTheAccountsDefaultKey", {"s3:x-amz-server-side-encryption": "aws:kms"}),
        ("DenyCustomerProvidedKeys", {"s3:x-amz-server-side-encryption-customer-algorithm": "AES256"}),
        ("DenyPlainHttp", {"aws:SecureTransport": "false"}),
        ("DenyOtherAccounts", {"aws:PrincipalAccount": "763104351884"}),
        ("DenyOtherAccounts", {"aws:PrincipalAccount": None, "aws:PrincipalIsAWSService": None}),
        (None, {"aws:PrincipalAccount": None, "aws:PrincipalIsAWSService": "true"}),
    ],
)
def test_the_bucket_policy_denies_other_encryption_other_accounts_and_plain_http(holds, denied, context):
    defaults = {
        "aws:SecureTransport": "true",
        "aws:PrincipalAccount": VALUES["account_id"],
        "aws:PrincipalIsAWSService": "false",
    }
    values = {key: value for key, value in {**defaults, **context}.items() if value is not None}
    denying = [
        statement["Sid"]
        for statement in render(POLICIES / "resources/bucket.json")["Statement"]
        if holds(statement["Condition"], values)
    ]
    assert denying == ([denied] if denied else [])


def test_the_key_policy_names_principals_and_has_conditions():
    statements = {s["Sid"]: s for s in render(POLICIES / "resources/key.json")["Statement"]}
    for statement in statements.values():
        assert "*" not in json.dumps(statement["Principal"])
        assert all(arn_shapes(action) is not None for action in as_list(statement["Action"]))
    for sid in ("RolesUseKeyForBucket", "RolesEncryptVolumes", "CloudWatchLogsEncrypts"):
        assert statements[sid]["Condition"]
    # Without these actions, the account could no longer change or delete the key.
    assert {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"} <= set(
        statements["AccountAdministersKey"]["Action"]
    )


@pytest.mark.parametrize("document", ["private_s3.json", "private_services.json"])
def test_private_endpoints_admit_only_principals_and_resources_of_this_account(document):
    for statement in render(POLICIES / "resources" / document)["Statement"]:
        resources, actions = as_list(statement["Resource"]), as_list(statement["Action"])
        assert not any("*" in action for action in actions)
        assert all(arn_shapes(action) is not None for action in actions)
        if (
            statement["Sid"] == "ImageLayersOfEcr"
        ):  # Docker pulls layers from a bucket of AWS, with presigned URLs
            assert resources == ["arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*"]
            assert actions == ["s3:GetObject"]
            continue
        assert statement["Condition"]["StringEquals"]["aws:PrincipalAccount"] == VALUES["account_id"]
        limited = [shape for action in actions for shape in arn_shapes(action)]
        if resources == ["*"] and limited:
            assert statement["Condition"]["StringEquals"]["aws:ResourceAccount"] == VALUES["account_id"]


def test_every_interface_endpoint_has_statements():
    """An endpoint's policy has the statements of its service: one without statements would deny everything."""
    text = (ROOT / "terraform/foundation/network.tf").read_text()
    services = dict(re.findall(r'^\s+"([a-z.]+)"\s+= "([a-z]+)"$', text, re.MULTILINE))
    assert set(services) == {
        "ecr.api",
        "ecr.dkr",
        "kms",
        "lambda",
        "logs",
        "monitoring",
        "sagemaker.api",
        "sagemaker.runtime",
        "ssm",
        "ssmmessages",
        "sts",
    }
    statements = render(POLICIES / "resources/private_services.json")["Statement"]
    # Each statement is for one service: the root finds it by the first action.
    prefixes = [{a.partition(":")[0] for a in as_list(statement["Action"])} for statement in statements]
    assert all(len(found) == 1 for found in prefixes)
    assert {found.pop() for found in prefixes} == set(services.values())


def test_network_interfaces_are_created_in_the_environment_s_network_only():
    statements = {s["Sid"]: s for s in render(POLICIES / "roles/network_interfaces.json")["Statement"]}
    for statement in statements.values():
        for resource in as_list(statement["Resource"]):
            if "subnet/" in resource or "security-group/" in resource:
                assert statement["Condition"]["StringEquals"] == {
                    "aws:ResourceTag/Project": "image-classifier",
                    "aws:ResourceTag/Environment": "dev",
                }
            else:
                assert "network-interface/" in resource or resource == "*"
    assert all(":Describe" in action for action in statements["ReadNetwork"]["Action"])


BUCKET_CONTEXT = "kms:EncryptionContext:aws:s3:arn"
LOGS_CONTEXT = "kms:EncryptionContext:aws:logs:arn"
LOGS = f"arn:aws:logs:us-east-1:{VALUES['account_id']}:log-group:"
VIA_S3 = {"kms:ViaService": "s3.us-east-1.amazonaws.com"}


@pytest.mark.parametrize(
    ("sid", "context", "allowed"),
    [
        ("RolesUseKeyForBucket", {**VIA_S3, BUCKET_CONTEXT: VALUES["bucket_arn"] + "/datasets/a"}, True),
        ("RolesUseKeyForBucket", {**VIA_S3, BUCKET_CONTEXT: "arn:aws:s3:::another/a"}, False),
        ("RolesUseKeyForBucket", {BUCKET_CONTEXT: VALUES["bucket_arn"]}, False),  # a direct call to KMS
        ("RolesUseKeyForBucket", VIA_S3, False),
        ("RolesEncryptVolumes", {"kms:GrantIsForAWSResource": "true"}, True),
        ("RolesEncryptVolumes", {"kms:GrantIsForAWSResource": "false"}, False),
        ("CloudWatchLogsEncrypts", {LOGS_CONTEXT: LOGS + "/aws/sagemaker/TrainingJobs"}, True),
        (
            "CloudWatchLogsEncrypts",
            {LOGS_CONTEXT: LOGS + "/aws/sagemaker/Endpoints/image-classifier-dev"},
            True,
        ),
        ("CloudWatchLogsEncrypts", {LOGS_CONTEXT: LOGS + "/image-classifier/dev/flow-logs"}, True),
        ("CloudWatchLogsEncrypts", {LOGS_CONTEXT: LOGS + "/aws/sagemaker/Endpoints/other"}, False),
        ("CloudWatchLogsEncrypts", {}, False),
    ],
)
def test_the_key_policy_limits_use_to_the_environment_s_bucket_volumes_and_logs(holds, sid, context, allowed):
    (statement,) = (s for s in render(POLICIES / "resources/key.json")["Statement"] if s["Sid"] == sid)
    assert holds(statement["Condition"], context) == allowed


def test_the_inference_function_may_invoke_one_endpoint_only():
    document = render(POLICIES / "roles/inference_function.json")
    invoke = [s for s in document["Statement"] if "sagemaker" in json.dumps(s["Action"])]
    assert [(s["Action"], s["Resource"]) for s in invoke] == [
        ("sagemaker:InvokeEndpoint", VALUES["endpoint_arn"])
    ]


# ---- stack access: the operator, CI and the permissions boundary ----


def statements(document: str) -> list[dict]:
    """Return the rendered statements of a document, such as `stacks/identity`."""
    return render(POLICIES / f"{document}.json")["Statement"]


def test_roles_can_be_created_and_changed_only_with_the_boundary():
    changes = {
        "iam:AttachRolePolicy",
        "iam:CreateRole",
        "iam:DeleteRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
    }
    for statement in statements("stacks/identity"):
        if changes & set(as_list(statement["Action"])):
            assert statement["Condition"] == {
                "StringEquals": {"iam:PermissionsBoundary": VALUES["boundary_arn"]}
            }


@pytest.mark.parametrize("path", ROLE_DOCUMENTS, ids=name)
def test_no_role_document_reaches_the_resources_or_the_state_of_stack_access(path):
    for statement in render(path)["Statement"]:
        if as_list(statement["Action"]) == ["iam:GetPolicy"]:
            continue
        for resource in as_list(statement["Resource"]):
            for protected in (
                "arn:aws:iam::123456789012:role/access/image-classifier-dev-operator",
                VALUES["boundary_arn"],
                VALUES["state_bucket_arn"] + "/_access/dev.tfstate",
                "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com",
            ):
                assert resource == "*" or not policy_rules.overlap(resource, protected), statement["Sid"]


def test_the_plan_role_of_ci_is_read_only():
    reads = re.compile(r"\w[\w-]*:(Get|List|Describe|Decrypt|View|GET$)")
    for statement in statements("roles/ci_plan"):
        for action in as_list(statement["Action"]):
            assert reads.match(action), f"{statement['Sid']}: {action}"


BOUNDED_ROLES = [
    "roles/dead_letters",
    "roles/ec2_host",
    "roles/endpoint",
    "roles/flow_logs",
    "roles/inference_function",
    "roles/network_interfaces",
    "roles/processing",
    "roles/traces",
    "roles/training",
    "roles/tuning",
    "roles/workbench",
]


def boundary_allows(action: str, resource: str) -> bool:
    """Return whether the boundary allows an action on a resource, which may be a pattern."""
    return any(
        action in as_list(statement["Action"])
        and any(policy_rules.overlap(resource, bound) for bound in as_list(statement["Resource"]))
        for statement in statements("boundary")
    )


@pytest.mark.parametrize("document", BOUNDED_ROLES)
def test_the_boundary_allows_everything_that_a_role_document_allows(document):
    missing = [
        f"{statement['Sid']}: {action} on {resource}"
        for statement in statements(document)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if resource == "*" or any(policy_rules.overlap(resource, s) for s in arn_shapes(action) or ["*"])
        if not boundary_allows(action, resource)
    ]
    assert missing == [], "add it to policies/boundary.json"


def test_the_boundary_allows_nothing_that_no_role_document_allows():
    allowed = {a for name in BOUNDED_ROLES for s in statements(name) for a in as_list(s["Action"])}
    by_key_policy = {
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
    }
    bound = {action for s in statements("boundary") for action in as_list(s["Action"])}
    assert bound - allowed - by_key_policy == set()


def test_every_role_document_is_bounded_or_belongs_to_stack_access():
    access = {"roles/ci_apply", "roles/ci_plan", "roles/operator"}
    assert {f"roles/{path.stem}" for path in (POLICIES / "roles").glob("*.json")} == access | set(
        BOUNDED_ROLES
    )


@pytest.mark.parametrize("path", ROLE_DOCUMENTS, ids=name)
def test_a_role_document_is_within_the_size_limit_of_iam(path):
    managed = path.parent.name == "stacks" or path.stem == "boundary"
    size = len(json.dumps(render(path), separators=(",", ":")))
    assert size <= (6144 if managed else 10240)  # characters of a managed policy, of a role's inline policies
