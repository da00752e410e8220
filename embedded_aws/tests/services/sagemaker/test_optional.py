"""Operations that need an extra."""

from __future__ import annotations

import json

import pytest
from moto.sagemaker.exceptions import ValidationError

from embedded_aws import extras
from embedded_aws.services.sagemaker.optional import OptionalResponse
from embedded_aws.services.sagemaker.requests import Response

TOOLKIT_JOB = {"AlgorithmSpecification": {"TrainingImage": "pytorch"}}
OWN_COMMAND = {"AlgorithmSpecification": {"TrainingImage": "any", "ContainerEntrypoint": ["sh"]}}


class Answers(Response):
    """Operations that report that they were reached."""

    def create_training_job(self) -> str:
        return "reached"

    create_hyper_parameter_tuning_job = create_endpoint = create_training_job
    create_notebook_instance = create_app = create_training_job


class EveryResponse(OptionalResponse, Answers):
    def __init__(self, body: object) -> None:
        self.body = json.dumps(body)


CASES = [
    ("create_training_job", TOOLKIT_JOB, "sagemaker"),
    ("create_hyper_parameter_tuning_job", {"TrainingJobDefinition": TOOLKIT_JOB}, "sagemaker"),
    ("create_endpoint", {}, "sagemaker"),
    ("create_notebook_instance", {}, "notebooks"),
    ("create_app", {}, "notebooks"),
]


@pytest.mark.parametrize(("operation", "body", "extra"), CASES)
def test_operations_are_refused_without_their_extra(monkeypatch, operation, body, extra):
    assert getattr(EveryResponse(body), operation)() == "reached"
    monkeypatch.setitem(extras.MODULES, extra, ("no_such_module",))
    with pytest.raises(ValidationError, match=rf"pip install 'embedded-aws\[{extra}\]'"):
        getattr(EveryResponse(body), operation)()


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("create_training_job", OWN_COMMAND),
        ("create_hyper_parameter_tuning_job", {"TrainingJobDefinition": OWN_COMMAND}),
    ],
)
def test_jobs_with_their_own_command_need_no_extra(monkeypatch, operation, body):
    monkeypatch.setitem(extras.MODULES, "sagemaker", ("no_such_module",))
    assert getattr(EveryResponse(body), operation)() == "reached"


@pytest.mark.parametrize("operation", ["create_training_job", "create_hyper_parameter_tuning_job"])
@pytest.mark.parametrize(
    "body", [[], {"AlgorithmSpecification": "pytorch"}, {"TrainingJobDefinition": ["no structure"]}]
)
def test_malformed_jobs_are_left_to_the_validation_of_the_operation(operation, body):
    assert getattr(EveryResponse(body), operation)() == "reached"


def test_a_job_without_a_body_is_left_to_the_validation_of_the_operation():
    response = EveryResponse({})
    response.body = ""
    assert response.create_training_job() == "reached"
