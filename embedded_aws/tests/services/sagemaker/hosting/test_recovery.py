"""Endpoints of the embedded AWS after a restart."""

import os

import pytest

from hosting_kit import Hosting, serverless, variant

pytestmark = pytest.mark.slow


def test_endpoints_recover_after_a_restart(new_embedded_aws):
    aws = new_embedded_aws()
    hosting = Hosting(aws)
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
    # The endpoint outlives the model that it was made from.
    hosting.sagemaker.delete_model(ModelName="model")
    aws.restart()
    for pid in old:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert hosting.ask("serving")["version"] == "kept"  # waits for the first instance
    assert hosting.ask("serverless")["version"] == "kept"
    described = hosting.stable("serving")
    assert described["EndpointStatus"] == "InService"
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert len({hosting.ask("serving")["pid"] for _ in range(40)}) == 2


def test_interrupted_update_resumes_after_a_restart(new_embedded_aws):
    aws = new_embedded_aws()
    hosting = Hosting(aws)
    slow = hosting.put("slow.tar.gz", {"code/app.py": SLOW})
    hosting.model("old")
    hosting.model("new", slow)
    hosting.config("old", variant("old"))
    hosting.config("new", variant("new"))
    hosting.endpoint("cut-off", "old")
    hosting.sagemaker.update_endpoint(EndpointName="cut-off", EndpointConfigName="new")
    aws.restart()
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
