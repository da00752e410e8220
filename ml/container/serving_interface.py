"""The interface of the serving container: what its model package and its callers must match.

It imports nothing, because the operator's code (ml/jobs/registry.py) imports it, too.
"""

# Variables that the model package sets. AWS's Ray Serve image reads SM_RAYSERVE_APP: the application as module:attribute.
ENVIRONMENT = {"SM_RAYSERVE_APP": "app:app"}
CONTENT_TYPES = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/bmp",
    "image/gif",
    "image/tiff",
    "image/x-portable-anymap",
    "image/avif",
    "application/x-image",  # any of them
)
RESPONSE_TYPES = ("application/json",)
MAX_BODY_BYTES = 6_291_456  # InvokeEndpoint's limit
ATTRIBUTES_HEADER = "X-Amzn-SageMaker-Custom-Attributes"  # top_k=N,scores=true
DEFAULT_TOP_K = 5
