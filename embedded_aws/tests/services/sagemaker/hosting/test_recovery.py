"""Endpoints after a restart of the embedded AWS."""

import pytest

from hosting_kit import Hosting, is_running, serverless, variant

pytestmark = pytest.mark.slow


@pytest.fixture
def hosting(fresh_embedded_aws):
    running = Hosting(fresh_embedded_aws)
    yield running
    running.delete_endpoints()


def test_endpoints_recover_after_a_restart(hosting):
    hosting.model("model", VERSION="kept")
    hosting.config("config", variant("model"))
    hosting.endpoint("serving", "config")
    hosting.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="serving",
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}],
    )
    hosting.stable("serving")
    hosting.model("serverless", isolated=False, VERSION="kept")
    hosting.config("serverless", serverless("serverless"))
    hosting.endpoint("serverless", "serverless")
    old = {hosting.ask("serving")["pid"] for _ in range(20)}
    # An endpoint does not need its model.
    hosting.sagemaker.delete_model(ModelName="model")
    hosting.restart()
    assert not [pid for pid in old if is_running(pid)]
    assert hosting.ask("serving")["version"] == "kept"  # waits for the first instance
    assert hosting.ask("serverless")["version"] == "kept"
    described = hosting.stable("serving")
    assert described["EndpointStatus"] == "InService"
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert len({hosting.ask("serving")["pid"] for _ in range(40)}) == 2


def test_interrupted_update_resumes_after_a_restart(hosting):
    slow = hosting.put("slow.tar.gz", {"code/app.py": SLOW})
    hosting.model("old")
    hosting.model("new", slow)
    hosting.config("old", variant("old"))
    hosting.config("new", variant("new"))
    hosting.endpoint("cut-off", "old")
    hosting.sagemaker.update_endpoint(EndpointName="cut-off", EndpointConfigName="new")
    hosting.restart()
    described = hosting.stable("cut-off")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "new")
    assert hosting.ask("cut-off")["slow"] is True


SLOW = """
import time
from fastapi import FastAPI
from ray import serve

time.sleep(2)
asgi = FastAPI()

@asgi.post("/")
def predict():
    return {"slow": True}

@serve.deployment
@serve.ingress(asgi)
class App:
    pass

app = App.bind()
"""
