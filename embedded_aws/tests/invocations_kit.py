"""What the tests of execution environments share."""

from __future__ import annotations

import time

from embedded_aws.services.lambda_.runtime_api import Invocation


def invocation(payload: bytes = b"{}", request_id: str = "r-1", seconds: float = 3.0) -> Invocation:
    """Return an invocation whose deadline is in so many seconds."""
    return Invocation(
        request_id=request_id,
        function_arn="arn:aws:lambda:us-east-1:123456789012:function:f",
        payload=payload,
        deadline_ms=int((time.time() + seconds) * 1000),
    )
