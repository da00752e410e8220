"""AWS's errors as sentences an operator can act on; instance types known before a request is made."""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from botocore import exceptions

from ops import aws
from ops.errors import OperatorError


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (
            exceptions.NoCredentialsError(),
            r"No AWS credentials for ./inv up: sign in .*AWS_PROFILE.*--env local",
        ),
        (
            exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "No AWS credentials",
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://s3.amazonaws.com"),
            r"AWS did not answer while ./inv up .*s3\.amazonaws\.com.*: check the network\.$",
        ),
        (
            exceptions.ClientError(
                {"Error": {"Code": "AccessDenied", "Message": "not authorized."}}, "PutObject"
            ),
            r"^AWS refused while ./inv up: AccessDenied: not authorized\.$",
        ),
        (exceptions.ClientError({}, "PutObject"), "AWS refused while ./inv up: Unknown: "),
    ],
)
def test_errors_become_one_sentence(raised, told):
    with pytest.raises(OperatorError, match=told) as refused, aws.aws_errors("./inv up"):
        raise raised
    assert refused.value.__cause__ is raised


def test_where_an_endpoint_is_set_the_embedded_aws_is_suspected(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5005")
    with pytest.raises(OperatorError, match=r"\./inv local\.status"), aws.aws_errors("./inv up"):
        raise exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:5005")


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), aws.aws_errors("./inv up"):
        _ = 1 / 0


def test_instance_types_differ_by_use():
    aws.check_instance_type("ml.m5.2xlarge", "training")
    aws.check_instance_type("ml.t2.medium", "hosting")
    with pytest.raises(OperatorError, match=r"no instance type 'ml\.t2\.medium' for training"):
        aws.check_instance_type("ml.t2.medium", "training")


def test_a_misspelt_instance_type_is_answered_with_the_nearest():
    with pytest.raises(OperatorError, match=r"'ml\.m5\.larg' for hosting: did you mean .*ml\.m5\.large"):
        aws.check_instance_type("ml.m5.larg", "hosting")


def test_clients_wait_as_long_as_a_function_may_run():
    config = aws.client("sts", "eu-west-1").meta.config
    assert config.read_timeout >= 60
    assert config.retries["mode"] == "standard"
    assert aws.client("sts", "eu-west-1") is aws.client("sts", "eu-west-1")


def test_clients_act_as_a_role_for_a_while(monkeypatch):
    assumed = []

    def assume_role(**asked):
        assumed.append(asked["RoleArn"])
        expires = datetime.now(timezone.utc) + timedelta(seconds=1 if len(assumed) == 1 else 3600)
        keys = {"AccessKeyId": f"key{len(assumed)}", "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": {**keys, "Expiration": expires}}

    aws._session.cache_clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setattr(aws, "_client", lambda *_: SimpleNamespace(assume_role=assume_role))
    role = "arn:aws:iam::123456789012:role/r"
    with aws.acting_as(role):
        session = aws.session("us-east-1")
        keys = [session.get_credentials().access_key for _ in range(3)]
        assert aws.session("us-east-1") is session
    assert (keys, assumed) == (["key1", "key2", "key2"], [role, role])  # the first was about to expire
    assert aws.session("us-east-1").get_credentials().access_key == "mine"
    aws._session.cache_clear()
