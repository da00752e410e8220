"""S3 URIs, and objects that are written encrypted with the environment's key."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError

from ops import s3
from ops.errors import OperatorError
from ops.s3 import S3Uri
from tests.environments import with_clients


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("s3://bucket/a/b.png", S3Uri("bucket", "a/b.png")),
        ("s3://bucket/prefix/", S3Uri("bucket", "prefix/")),
        ("s3://bucket/", S3Uri("bucket", "")),
    ],
)
def test_a_uri_is_parsed_and_printed(text, uri):
    assert S3Uri.parse(text) == uri
    assert str(uri) == text


@pytest.mark.parametrize("text", ["", "bucket/key", "https://bucket/key", "s3://", "s3:///key"])
def test_any_other_text_is_refused(text):
    with pytest.raises(ValueError, match="is not an S3 URI"):
        S3Uri.parse(text)


def test_names_are_joined_below_a_prefix():
    assert S3Uri("b", "prefix/") / "name" == S3Uri("b", "prefix/name")
    assert S3Uri("b", "prefix") / "a/b" == S3Uri("b", "prefix/a/b")
    assert S3Uri("b", "") / "name" == S3Uri("b", "name")


def test_objects_are_written_encrypted_and_read_back(account, dev, foundation):
    uri = s3.put(dev, "results/a.json", b"{}", ContentType="application/json")
    assert uri == S3Uri(dev.data_bucket, "results/a.json")
    assert s3.get(dev, uri) == b"{}"
    stored = dev.client("s3").head_object(Bucket=uri.bucket, Key=uri.key)
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", foundation.kms_key_arn)
    assert stored["ContentType"] == "application/json"


def test_a_missing_object_is_none_and_does_not_exist(account, dev):
    uri = s3.in_data_bucket(dev, "nothing")
    assert s3.get(dev, uri) is None
    assert not s3.exists(dev, uri)
    assert not s3.exists(dev, S3Uri("no-such-bucket", "key"))
    assert not s3.has_objects(dev, uri)


def test_a_prefix_has_objects_if_a_key_starts_with_it(account, dev):
    s3.put(dev, "weights/resnet18/a.pth", b"")
    assert s3.has_objects(dev, s3.in_data_bucket(dev, "weights/resnet18/"))
    assert not s3.exists(dev, s3.in_data_bucket(dev, "weights/resnet18/"))


def test_an_object_named_by_its_content_is_written_once(account, dev):
    s3.put_once(dev, "code/abc/a", b"first")
    assert s3.get(dev, s3.put_once(dev, "code/abc/a", b"second")) == b"first"


def test_other_errors_are_raised(account, dev):
    class Refusing:
        def __getattr__(self, name):
            def refuse(**_):
                raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, name)

            return refuse

    env = with_clients(dev, s3=Refusing())
    uri = S3Uri("bucket", "key")
    with pytest.raises(
        OperatorError, match=r"^s3://bucket/key could not be read \(403: Forbidden\): check .* role"
    ):
        s3.get(env, uri)
    for call in (s3.exists, s3.has_objects):
        with pytest.raises(ClientError, match="Forbidden"):
            call(env, uri)


def test_objects_that_are_not_deleted_are_an_error(account, dev):
    class Refusing:
        def delete_objects(self, Bucket, Delete):
            return {"Errors": [{"Key": item["Key"], "Code": "AccessDenied"} for item in Delete["Objects"]]}

    with pytest.raises(
        OperatorError, match=r"did not delete a and 1 other objects in bucket b \(AccessDenied: no message\)"
    ):
        s3.delete(with_clients(dev, s3=Refusing()), "b", [{"Key": "a"}, {"Key": "c"}])


class Reads:
    """An S3 client whose successive reads return or raise these."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def get_object(self, Bucket, Key):
        answer = self.answers.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        return {"Body": SimpleNamespace(read=answer)}


def refusal(code, message):
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetObject")


def cut_off():
    raise ResponseStreamingError(error="Connection broken")


def test_a_transfer_that_is_cut_off_is_repeated(dev):
    uri = S3Uri("b", "k")
    assert s3.get(with_clients(dev, s3=Reads(cut_off, cut_off, lambda: b"x")), uri) == b"x"
    with pytest.raises(ResponseStreamingError):
        s3.get(with_clients(dev, s3=Reads(*[cut_off] * s3.ATTEMPTS)), uri)


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("KMS.DisabledException", "arn:aws:kms:…:key/1 is disabled.", "aws kms enable-key"),
        ("KMS.KMSInvalidStateException", "key/1 is pending deletion.", "aws kms cancel-key-deletion"),
        ("AccessDenied", "User: x is not authorized to perform: kms:Decrypt", "your role may use it"),
        ("AccessDenied", "Access Denied", "check that your role may read it"),
        ("NoSuchBucket", "none", r"run \./inv apply --stack foundation --env dev first"),
    ],
)
def test_an_object_that_cannot_be_read_is_named(dev, code, message, advice):
    env = with_clients(dev, s3=Reads(refusal(code, message)))
    with pytest.raises(OperatorError, match=rf"^s3://b/k could not be read \({code}: .*{advice}"):
        s3.get(env, S3Uri("b", "k"))


def test_expired_credentials_are_not_the_object_s_fault(dev):
    env = with_clients(dev, s3=Reads(refusal("ExpiredToken", "The provided token has expired.")))
    with pytest.raises(ClientError, match="ExpiredToken"):
        s3.get(env, S3Uri("b", "k"))
