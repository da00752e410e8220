"""Parts of hosting by themselves: request checks, paging, requirements, traffic shifting, time-outs."""

import json
import pickle
from datetime import datetime, timezone
from email.message import Message
from types import SimpleNamespace
from typing import ClassVar

import pytest

from embedded_aws import runtime
from embedded_aws.services.sagemaker.hosting import artifacts, deployments, metrics, routing, shifting
from embedded_aws.services.sagemaker.hosting.failures import DeploymentFailed
from embedded_aws.services.sagemaker.requests import page, validated
from embedded_aws.services.sagemaker.service import LocalSageMakerBackend


def checked(operation: str, **request):
    response = SimpleNamespace(
        boto3_service_name="sagemaker", _get_action=lambda: operation, body=json.dumps(request)
    )
    return validated(response)


@pytest.mark.parametrize(
    "request_, message",
    [
        ({}, "Value at 'endpointName' failed to satisfy constraint: Member must not be null"),
        ({"EndpointName": "e", "EndpointConfigName": "c" * 64}, "length less than or equal to 63"),
        ({"EndpointName": "-", "EndpointConfigName": "c"}, "Member must satisfy regular expression pattern"),
        ({"EndpointName": 7, "EndpointConfigName": "c"}, "Member must be a string"),
        ({"EndpointName": "e", "EndpointConfigName": "c", "Tags": [{"Key": "k"}]}, "'tags.1.member.value'"),
    ],
)
def test_requests_are_held_to_the_model(request_, message):
    with pytest.raises(Exception, match=message) as error:
        checked("CreateEndpoint", **request_)
    assert error.value.code == "ValidationException"


def test_every_broken_constraint_is_named():
    with pytest.raises(Exception, match="2 validation errors detected: "):
        checked("CreateEndpoint")


def test_a_valid_request_comes_back_without_what_the_model_does_not_know():
    request = {"EndpointName": "e", "EndpointConfigName": "c", "Unknown": 1, "Tags": None}
    assert checked("CreateEndpoint", **request) == {"EndpointName": "e", "EndpointConfigName": "c"}


def test_times_are_read_as_utc():
    request = checked("ListEndpoints", CreationTimeAfter=0)
    assert request["CreationTimeAfter"] == datetime(1970, 1, 1, tzinfo=timezone.utc)


ITEMS = [
    {"Name": name, "CreationTime": datetime(2026, 1, day, tzinfo=timezone.utc), "EndpointStatus": status}
    for name, day, status in (("beta", 1, "InService"), ("alpha", 3, "Failed"), ("gamma", 2, "InService"))
]


def listed(**request) -> list[str]:
    return [item["Name"] for item in page(ITEMS, request, "Items", "Name")["Items"]]


def test_lists_are_sorted_and_filtered():
    assert listed() == ["alpha", "gamma", "beta"]
    assert listed(SortBy="Name", SortOrder="Ascending") == ["alpha", "beta", "gamma"]
    assert listed(NameContains="AL") == ["alpha"]
    assert listed(StatusEquals="InService") == ["gamma", "beta"]
    assert listed(CreationTimeAfter=datetime(2026, 1, 2, tzinfo=timezone.utc)) == ["alpha", "gamma"]


def test_a_page_leads_to_the_next():
    first = page(ITEMS, {"MaxResults": 2}, "Items")
    second = page(ITEMS, {"MaxResults": 2, "NextToken": first["NextToken"]}, "Items")
    assert [*first["Items"], *second["Items"]] == ITEMS and "NextToken" not in second
    with pytest.raises(Exception, match="NextToken"):
        page(ITEMS, {"NextToken": "no token"}, "Items")


@pytest.mark.parametrize(
    "text", ["", "# nothing\n--no-index\n", "pytest>=1  # here\n", "absent; python_version < '3'"]
)
def test_requirements_that_are_met_pass(tmp_path, text):
    (tmp_path / "requirements.txt").write_text(text)
    artifacts._check_requirements(tmp_path / "requirements.txt")


@pytest.mark.parametrize("text", ["pytest<1", "no-such-package", "git+https://example.com/x"])
def test_requirements_that_are_not_met_are_named(tmp_path, text):
    (tmp_path / "requirements.txt").write_text(text)
    with pytest.raises(DeploymentFailed, match=r"requirements.txt wants"):
        artifacts._check_requirements(tmp_path / "requirements.txt")


@pytest.mark.parametrize(
    "routing_, shares",
    [
        ({"Type": "ALL_AT_ONCE"}, [1.0]),
        ({"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 30}}, [0.3, 1.0]),
        ({"Type": "CANARY", "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}, [0.25, 1.0]),
        (
            {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25}},
            [0.25, 0.5, 0.75, 1.0],
        ),
        ({"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 40}}, [0.4, 0.8, 1.0]),
    ],
)
def test_traffic_shifts_in_the_steps_asked_for(routing_, shares):
    fleet = SimpleNamespace(deployment={"Variants": [{"VariantName": "v"}]}, count=lambda name: 4)
    assert shifting.shares(routing_, fleet) == pytest.approx(shares)


class Asked:
    """A fleet of one instance that answers as told."""

    id, healthy = "i-1", True
    deployment: ClassVar[dict] = {}

    def __init__(self, *answers):
        self.answers, self.over = list(answers), 0

    def ask(self, method, path, body, headers, timeout):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def done(self, instance):
        self.over += 1

    def pick_shadow(self):
        return None

    def measured(self, name, instance):
        return {"InvocationsPerInstance": 1.0}


@pytest.fixture
def invoke(monkeypatch, tmp_path):
    monkeypatch.setattr(runtime, "_current", runtime.Runtime(home=tmp_path, port=1))
    recorded = []
    monkeypatch.setattr(metrics, "record", lambda key, variant, values: recorded.append(values))

    def call(fleet):
        monkeypatch.setattr(routing, "_pick", lambda *_: (fleet, {"VariantName": "v"}, fleet))
        endpoint = {"EndpointStatus": "InService", "Deployed": {}}
        endpoint["Deployed"]["Variants"] = []
        return routing.invoke(("123456789012", "us-east-1", "e"), endpoint, None, b"", {})

    call.recorded = recorded
    return call


def test_a_model_that_takes_too_long_is_a_model_error_of_status_0(invoke):
    fleet = Asked(TimeoutError())
    with pytest.raises(routing.ModelError, match="invocation timed out") as error:
        invoke(fleet)
    assert error.value.original_status_code == 0 and fleet.over == 1
    assert invoke.recorded[0]["Invocation5XXErrors"] == 1


def test_an_instance_that_is_gone_is_not_asked_again(invoke):
    fleet = Asked(ConnectionRefusedError(), (200, Message(), b"answer"))
    assert invoke(fleet).body == b"answer"
    assert fleet.over == 2 and fleet.healthy is False


def test_a_container_that_hangs_up_is_a_model_error(invoke):
    with pytest.raises(routing.ModelError, match="closed the connection"):
        invoke(Asked(ConnectionResetError()))


def test_records_can_be_saved(monkeypatch, tmp_path):
    monkeypatch.setattr(runtime, "_current", runtime.Runtime(home=tmp_path, port=1))  # whose quotas apply
    monkeypatch.setattr(deployments, "start", lambda work, *arguments: None)
    backend = LocalSageMakerBackend("us-east-1", "123456789012")
    container = {"Image": "image", "Environment": {}}
    backend.create_hosted_model({"ModelName": "m", "ExecutionRoleArn": "arn", "PrimaryContainer": container})
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    backend.create_hosted_config({"EndpointConfigName": "c", "ProductionVariants": [variant]})
    backend.create_hosted_endpoint({"EndpointName": "e", "EndpointConfigName": "c"})
    saved = pickle.loads(pickle.dumps(backend.hosted_endpoints))
    assert saved["e"]["Pending"]["Variants"][0]["DesiredWeight"] == 1.0
