"""The tables of services and operations in README.md."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError

from embedded_aws import contract
from requests_kit import minimal_value

pytestmark = pytest.mark.slow

TABLE = contract.README.read_text().partition("<!-- operations: begin -->")[2]
ROWS = re.findall(r"^\| ([\w-]+) \| (\w+(?: only)?) \| (.+) \|$", TABLE, re.MULTILINE)
REFUSED = [
    (service, name) for service, state, names in ROWS if state == "refused" for name in names.split(", ")
]


def test_the_tables_are_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "embedded_aws.contract", "--check"],
        cwd=contract.README.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    named = {(service, name) for service, _, names in ROWS for name in names.split(", ")}
    assert ("sagemaker", "CreateTrainingJob") in named and ("sts", "GetSessionToken") in REFUSED


def test_an_operation_is_refused_if_its_method_can_only_raise() -> None:
    def refuses(self: object) -> None:
        raise NotImplementedError(self)

    def answers(self: object) -> str:
        return str(self)

    assert contract._state("ec2", "RunInstances", refuses) == "refused"
    assert contract._state("ec2", "RunInstances", answers) == "real"
    assert contract._state("service-quotas", "RequestServiceQuotaIncrease", answers) == "recorded only"


def test_every_refused_operation_is_refused(embedded_aws) -> None:
    clients = {service: embedded_aws.client(service) for service, _ in REFUSED}
    answered = []
    for service, operation in REFUSED:
        client = clients[service]
        shape = client.meta.service_model.operation_model(operation).input_shape
        methods = {name: python for python, name in client.meta.method_to_api_mapping.items()}
        try:
            getattr(client, methods[operation])(**(minimal_value(shape) if shape else {}))
        except ClientError as error:
            # Streamed responses are refused as ValidationError; unsigned calls for lack of a token.
            known = ("NotImplementedException", "ValidationError", "MissingAuthenticationToken")
            assert error.response["Error"]["Code"] in known, (operation, error)
        else:
            answered.append((service, operation))
    assert answered == []


@pytest.mark.parametrize("service", contract.BENEATH)
def test_operations_with_embedded_backends_exist(embedded_aws, service: str) -> None:
    names = contract.BENEATH[service]
    assert names <= set(embedded_aws.client(service).meta.service_model.operation_names)
