"""S3 answers that moto gives with constants."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.s3.exceptions import InvalidArgumentError
from moto.s3.responses import S3Response

from embedded_aws.services.s3 import listing

_get = S3Response._bucket_response_get


def bucket_response_get(response: S3Response, bucket_name: str, querystring: dict[str, Any]) -> Any:
    """Answer a GET of a bucket or of one of its sub-resources."""
    if "requestPayment" not in querystring:
        return _get(response, bucket_name, querystring)
    response.backend.get_bucket(bucket_name)
    response.data["Action"] = "GetBucketRequestPayment"
    return response.serialized(ActionResult({"Payer": "BucketOwner"}))


def list_multipart_uploads(response: S3Response) -> Any:
    """Answer ListMultipartUploads in pages."""
    asked = {name: response.querystring.get(name, [""])[0] for name in ("prefix", "delimiter", "key-marker")}
    limit = response.querystring.get("max-uploads", [str(listing.MAX_ITEMS)])[0]
    if not limit.isdecimal():
        raise InvalidArgumentError(
            "Provided max-uploads not an integer or within integer range", "max-uploads", limit
        )
    found = response.backend.page_of_uploads(
        response.bucket_name,
        prefix=asked["prefix"],
        delimiter=asked["delimiter"],
        key_marker=asked["key-marker"],
        upload_id_marker=response.querystring.get("upload-id-marker", [""])[0],
        limit=int(limit),
    )
    person = {"ID": response.current_account, "DisplayName": response.current_account}
    result: dict[str, Any] = {
        "Bucket": response.bucket_name,
        "KeyMarker": asked["key-marker"],
        "UploadIdMarker": response.querystring.get("upload-id-marker", [""])[0],
        "MaxUploads": min(int(limit), listing.MAX_ITEMS),
        "IsTruncated": found.truncated,
        "Uploads": [
            {
                "Key": upload.key_name,
                "UploadId": upload.id,
                "Initiator": person,
                "Owner": person,
                "StorageClass": upload.storage or "STANDARD",
                "Initiated": upload.initiated,
                "ChecksumAlgorithm": upload.metadata.get("x-amz-checksum-algorithm"),
                "ChecksumType": upload.metadata.get("x-amz-checksum-type"),
            }
            for upload in found.items
        ],
        "CommonPrefixes": [{"Prefix": prefix} for prefix in found.prefixes],
    }
    if asked["delimiter"]:
        result["Delimiter"] = asked["delimiter"]
    if found.truncated:
        result["NextKeyMarker"] = found.last
        result["NextUploadIdMarker"] = found.last_item.id if found.last_item is not None else ""
    response.data["Action"] = "ListMultipartUploads"
    return response.serialized(ActionResult(result))
