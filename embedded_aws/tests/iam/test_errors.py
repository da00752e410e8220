"""Errors, read by botocore's parsers."""

from __future__ import annotations

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from embedded_aws.iam.errors import Refusal, error, render

WIRE = {"s3": "rest-xml", "cbor": "smithy-rpc-v2-cbor"}


@pytest.mark.parametrize(
    ("protocol", "service", "expected", "status"),
    [
        ("s3", "s3", "AccessDenied", 403),
        ("query", "iam", "AccessDenied", 403),
        ("ec2", "ec2", "UnauthorizedOperation", 403),
        ("json", "sagemaker", "AccessDeniedException", 400),
        ("rest-json", "lambda", "AccessDeniedException", 403),
        ("cbor", "cloudwatch", "AccessDenied", 400),  # CloudWatch keeps the codes of its query protocol
    ],
)
def test_botocore_reads_code_and_message(protocol: str, service: str, expected: str, status: int) -> None:
    text = "<User> & 'é' " + "x" * 300
    line, headers, body = render(Refusal("denied", text), protocol, query_compatible=protocol == "cbor")
    model = ServiceModel(Loader(include_default_search_paths=True).load_service_model(service, "service-2"))
    shape = model.operation_model(model.operation_names[0]).output_shape
    answer = create_parser(WIRE.get(protocol, protocol)).parse(
        {"status_code": status, "headers": {k.lower(): v for k, v in headers}, "body": body, "context": {}},
        shape,
    )
    assert line.startswith(str(status))
    assert answer["Error"]["Code"] == expected
    assert answer["Error"]["Message"].endswith(text)
    assert dict(headers)["Content-Length"] == str(len(body))


def test_responses_to_head_have_no_body() -> None:
    assert render(Refusal("denied", "no"), "s3", head=True)[2] == b""


def test_internal_failures_are_receiver_errors() -> None:
    line, _, body = error("query", "InternalFailure", "broken", 500)
    assert line == "500 Internal Server Error" and b"<Type>Receiver</Type>" in body
