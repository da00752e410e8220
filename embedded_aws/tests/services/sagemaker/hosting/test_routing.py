"""Routing of an invocation, with a fleet of one simulated instance."""

from email.message import Message
from typing import ClassVar

import pytest

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.hosting.capture import DataCapture
from embedded_aws.services.sagemaker.hosting.exceptions import ModelError
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey
from embedded_aws.services.sagemaker.hosting.routing import EndpointRouter
from embedded_aws.services.sagemaker.hosting.traffic import LiveEndpoints

KEY = EndpointKey("123456789012", "us-east-1", "e")


class SimulatedFleet:
    """A fleet of one instance, with prepared responses."""

    id, healthy = "i-1", True
    deployment: ClassVar[dict] = {}

    def __init__(self, *responses):
        self.responses, self.released = list(responses), 0

    def request(self, method, path, body, headers, timeout):
        response = self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        return response

    def acquire(self, target):
        return {"VariantName": "v"}, self

    def acquire_shadow(self):
        return None

    def release(self, instance):
        self.released += 1

    def request_metrics(self, name, instance):
        return {"InvocationsPerInstance": 1.0}


class RecordedMetrics(list):
    def record(self, key, variant, values, config):
        self.append(values)


@pytest.fixture
def invoke(tmp_path):
    """Invoke an endpoint that is served by a given fleet."""
    runtime, live, metrics = Runtime(home=tmp_path, port=1), LiveEndpoints(), RecordedMetrics()
    router = EndpointRouter(runtime, live, metrics, DataCapture(runtime))

    def call(fleet):
        live.traffic(KEY).current = fleet
        endpoint = {"EndpointStatus": "InService", "Deployed": {"Variants": []}}
        return router.invoke(KEY, endpoint, None, b"", {})

    call.metrics = metrics
    return call


def test_model_timeout_is_a_model_error_with_status_0(invoke):
    fleet = SimulatedFleet(TimeoutError())
    with pytest.raises(ModelError, match="invocation timed out") as error:
        invoke(fleet)
    assert error.value.original_status_code == 0 and fleet.released == 1
    assert invoke.metrics[0]["Invocation5XXErrors"] == 1


def test_request_is_sent_again_if_the_instance_has_ended(invoke):
    fleet = SimulatedFleet(ConnectionRefusedError(), (200, Message(), b"answer"))
    assert invoke(fleet).body == b"answer"
    assert fleet.released == 2 and fleet.healthy is False


def test_closed_connection_is_a_model_error(invoke):
    with pytest.raises(ModelError, match="closed the connection"):
        invoke(SimulatedFleet(ConnectionResetError()))
