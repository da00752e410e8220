"""Amazon S3: changes to moto."""

from __future__ import annotations

from moto.s3 import models, responses

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider
from embedded_aws.services.s3.backend import DeleteMarker, EmbeddedS3Backend, ObjectVersion, Upload
from embedded_aws.services.s3.responses import bucket_response_get, list_multipart_uploads
from embedded_aws.state.blobs import BlobStore


def provider(runtime: Runtime) -> Provider:
    runtime.add(BlobStore(runtime.folder("blobs")))
    return Provider(
        backends=[(models.s3_backends, EmbeddedS3Backend)],
        replaced=[
            *(
                (module, name, kind)
                for module in (models, responses)
                for name, kind in (("FakeDeleteMarker", DeleteMarker), ("FakeKey", ObjectVersion))
            ),
            (models, "FakeMultipart", Upload),
            (responses.S3Response, "_bucket_response_get", bucket_response_get),
            (responses.S3Response, "list_multipart_uploads", list_multipart_uploads),
        ],
    )
