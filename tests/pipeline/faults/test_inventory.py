"""Inventories: equal for equal accounts, whatever AWS generates; every difference is named."""

from __future__ import annotations

import json

import pytest

from pipeline.faults import inventory
from pipeline.faults.kinds import KINDS


def one(name: str, **values: object) -> str:
    return json.dumps({"name": name, **values})


def test_equal_inventories_have_no_differences():
    found = {"role": [one("a"), one("b")]}
    assert inventory.differences(found, found) == []


def test_what_is_missing_extra_or_different_is_named():
    wanted = {"role": [one("a"), one("b", path="/x/")], "bucket": [one("c")]}
    found = {"role": [one("b", path="/y/"), one("d")]}
    assert inventory.differences(wanted, found) == [
        "missing bucket c",
        'different role b (path. "/x/" became "/y/")',
        "missing role a",
        "extra role d",
    ]


def test_one_of_two_equal_resources_is_missed():
    twice = {"key": [one("<uuid>"), one("<uuid>")]}
    assert inventory.differences(twice, {"key": [one("<uuid>")]}) == ["missing key <uuid>"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"Id": "vpc-0a1b2c3d"}, {"Id": "vpc-99999999"}),
        (
            {"Arn": "key/11111111-2222-3333-4444-555555555555"},
            {"Arn": "key/aaaaaaaa-2222-3333-4444-555555555555"},
        ),
        ({"Arn": "arn:aws:lambda:r:1:function:f:1"}, {"Arn": "arn:aws:lambda:r:1:function:f:22"}),
        ({"RoleId": "AROAAAAAAAAAAAAAAAAAA"}, {"RoleId": "AROABBBBBBBBBBBBBBBBB"}),
        ({"name": 'module.endpoint a.b["16dfb60a"]'}, {"name": 'module.endpoint a.b["00000001"]'}),
        ({"InstanceProfileId": "s71vzq6ne0fx"}, {"InstanceProfileId": "1gsuxcinbjl5"}),
        ({"Id": "terraform-20261130221527696200000002"}, {"Id": "terraform-20261130222428524800000001"}),
        ({"CreationTime": 1}, {"CreationTime": 2}),
        ({"Subnets": ["b", "a"]}, {"Subnets": ["a", "b"]}),
    ],
)
def test_what_aws_generates_does_not_matter(first, second):
    assert inventory.stable(first) == inventory.stable(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"Name": "image-classifier-dev"}, {"Name": "image-classifier-dev-2"}),
        ({"InstanceType": "ml.m5.large"}, {"InstanceType": "ml.m5.xlarge"}),
        ({"ModelPackageVersion": 1}, {"ModelPackageVersion": 2}),
        ({"Tags": [{"Key": "a"}]}, {"Tags": []}),
    ],
)
def test_what_the_operator_chose_matters(first, second):
    assert inventory.stable(first) != inventory.stable(second)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_listed_by_an_operation_of_its_service(kind, moto_session):
    client = moto_session.client(kind.service)
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[kind.operation])
    assert kind.items in shape.output_shape.members
    for operation, argument in kind.details:
        found = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        assert argument in found.input_shape.members


def test_an_inventory_of_an_account(account, dev):
    dev.client("s3").create_bucket(Bucket=dev.state_bucket)
    state = {"resources": [{"mode": "managed", "type": "t", "name": "n", "instances": [{"index_key": 1}]}]}
    dev.client("s3").put_object(Bucket=dev.state_bucket, Key="dev/x.tfstate", Body=json.dumps(state).encode())
    before, held = inventory.take(dev), inventory.holdings(dev)
    assert before["state dev/x.tfstate"] == [one(" t.n[1]")]
    dev.client("ssm").put_parameter(Name="/left/over", Value="x", Type="String")
    assert inventory.differences(before, inventory.take(dev)) == ["extra parameter /left/over"]
    dev.client("s3").put_bucket_versioning(
        Bucket=dev.data_bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    assert held.lost(inventory.holdings(dev)) == []
    for item in dev.client("s3").list_object_versions(Bucket=dev.data_bucket)["Versions"]:
        dev.client("s3").delete_object(Bucket=dev.data_bucket, Key=item["Key"], VersionId=item["VersionId"])
    assert held.lost(inventory.holdings(dev)) == ["2 object versions"]
