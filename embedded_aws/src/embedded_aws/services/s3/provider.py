"""Amazon S3 in moto's place."""

from __future__ import annotations

from moto.s3 import models, responses

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider
from embedded_aws.services.s3.models import DeleteMarker
from embedded_aws.state.blobs import BlobStore, StoredKey


def provider(runtime: Runtime) -> Provider:
    StoredKey.store = BlobStore(runtime.folder("blobs"))
    runtime.add(StoredKey.store)
    return Provider(
        replaced=[
            (module, name, kind)
            for module in (models, responses)
            for name, kind in (("FakeDeleteMarker", DeleteMarker), ("FakeKey", StoredKey))
        ]
    )
