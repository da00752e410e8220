"""The S3 bucket with the Terraform states, which all environments of a project share. No stack can create it."""

from __future__ import annotations

import json
from string import Template
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import error_code
from ops.environment import Environment
from ops.paths import ROOT


def exists(env: Environment) -> bool:
    """Return whether the state bucket exists."""
    try:
        env.client("s3").head_bucket(Bucket=env.state_bucket)
    except ClientError as error:
        if error_code(error) not in ("404", "NoSuchBucket"):
            raise
        return False
    return True


def ensure(env: Environment) -> str:
    """Create the state bucket, private, encrypted and versioned, or complete a partly created one. Returns its name.

    It is encrypted with AWS's own KMS key for S3 in this account: the bucket exists before the foundation's key, and
    longer, as all environments of the project share it. Only principals of the account can use that key.
    """
    name, region, s3 = env.state_bucket, env.settings.region, env.client("s3")
    if not exists(env):
        location = (
            {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        s3.create_bucket(Bucket=name, **location)
    elif s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled":
        return name  # versioning comes last: everything else is done
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        ),
    )
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(_policy(env)))
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def _policy(env: Environment) -> dict[str, Any]:
    """Return those statements of the data bucket's policy that deny plain HTTP and other accounts."""
    values = {
        "account_id": env.account_id,
        "bucket_arn": f"arn:{env.partition}:s3:::{env.state_bucket}",
        "partition": env.partition,
        "region": env.settings.region,
    }
    text = Template((ROOT / "policies" / "resources" / "bucket.json").read_text(encoding="utf-8")).substitute(
        values
    )
    document: dict[str, Any] = json.loads(text)
    statements = [s for s in document["Statement"] if s["Sid"] in ("DenyPlainHttp", "DenyOtherAccounts")]
    return {**document, "Statement": statements}
