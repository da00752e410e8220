"""KMS keys: asymmetric ones have a public key, others do not."""

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kms(embedded_aws):
    return embedded_aws.client("kms")


@pytest.mark.parametrize(
    ("spec", "usage"), [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")]
)
def test_a_key_without_private_key_has_no_public_key(kms, spec, usage):
    key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError) as refused:
        kms.get_public_key(KeyId=key)
    assert refused.value.response["Error"]["Code"] == "UnsupportedOperationException"


def test_a_symmetric_key_encrypts_and_decrypts(kms):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    secret = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=secret)["Plaintext"] == b"secret"


def test_an_asymmetric_key_signs(kms):
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    claims = {"KeyId": key, "Message": b"text", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(**claims)["Signature"]
    assert kms.verify(**claims, Signature=signature)["SignatureValid"]
    assert kms.get_public_key(KeyId=key)["PublicKey"]
