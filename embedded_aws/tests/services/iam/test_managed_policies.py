"""AWS managed policies are moto's, read one by one."""

import json
import pickle
from datetime import datetime

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import IAMBackend

from embedded_aws.services.iam import managed_policies

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture
def policies():
    return managed_policies.of_backend(IAMBackend("aws", "123456789012"))


def test_every_policy_has_the_data_of_moto(policies):
    moto = json.loads(aws_managed_policies_data)
    assert [policy.name for policy in policies] == list(moto) and len(moto) > 1000
    for policy, data in zip(policies, moto.values(), strict=True):
        assert policy.arn == f"arn:aws:iam::aws:policy{data['Path']}{policy.name}"
        assert json.loads(policy.versions[0].document) == data["Document"]
        assert policy.default_version_id == data["DefaultVersionId"] == policy.versions[0].version_id
        assert policy.create_date == datetime.fromisoformat(data["CreateDate"])
        assert policy.update_date == datetime.fromisoformat(data["UpdateDate"])


def test_a_document_is_read_when_it_is_used(policies):
    policy = {policy.arn: policy for policy in policies}[ADMINISTRATOR]
    assert "versions" not in vars(policy) and policy.attachment_count == 0
    policy.attachment_count = 2
    assert json.loads(policy.versions[0].document)["Statement"][0]["Resource"] == "*"
    assert policy.attachment_count == 2 and policy.id == policy.id
    assert sum("versions" in vars(policy) for policy in policies) == 1


def test_an_unknown_attribute_is_refused(policies):
    with pytest.raises(AttributeError, match="nothing"):
        _ = policies[0].nothing
    assert pickle.loads(pickle.dumps(policies[0])).arn == policies[0].arn
