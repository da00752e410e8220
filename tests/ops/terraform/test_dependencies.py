"""What resources of a state need, directly or not."""

from ops.terraform import dependencies


def resource(module, kind, label, *needs, mode="managed", **attributes):
    instance = {"dependencies": list(needs), "attributes": attributes}
    found = {"mode": mode, "type": kind, "name": label, "instances": [instance]}
    return {**found, "module": module} if module else found


STATE = {
    "resources": [
        resource("", "aws_caller_identity", "me", mode="data", id="123"),
        resource("module.role", "aws_iam_role", "this", id="training", arn="arn:role"),
        resource("module.key", "aws_kms_key", "this", "module.role.aws_iam_role.this", key_id="key-1"),
        resource(
            "module.storage[0]",
            "aws_s3_bucket",
            "this",
            "module.key.aws_kms_key.this",
            bucket="b",
            tags={"id": "no"},
        ),
        resource("module.storage_of_logs", "aws_s3_bucket", "this", id="logs"),
        resource("", "aws_sagemaker_model_package_group", "this", name="models"),
    ]
}


def test_addresses_without_instance_keys():
    for address in ('module.a[0].aws_x.b["ecr.api"]', "module.a.aws_x.b", 'module.a["k"].aws_x.b[12]'):
        assert dependencies.configuration_address(address) == "module.a.aws_x.b"


def test_what_modules_and_resources_need():
    assert dependencies.needed(STATE, ["module.key"]) == {
        "module.key.aws_kms_key.this",
        "module.role.aws_iam_role.this",
    }
    assert dependencies.needed(STATE, ["module.storage"]) == {
        "module.storage.aws_s3_bucket.this",
        "module.key.aws_kms_key.this",
    }
    group = "aws_sagemaker_model_package_group.this"
    assert dependencies.needed(STATE, [group]) == {group}
    assert dependencies.needed({}, ["module.key"]) == frozenset()


def test_identifiers_of_managed_resources():
    assert dependencies.identifiers(STATE) == {"training", "arn:role", "key-1", "b", "logs", "models"}
