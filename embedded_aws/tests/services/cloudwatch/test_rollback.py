"""An alarm rolls back the update of an endpoint, on a fast clock."""

from __future__ import annotations

import threading

import pytest
from botocore.exceptions import ClientError

from alarms_kit import described, put_alarm
from events_kit import Queue, Rule
from hosting_kit import Hosting, variant

SLOW_APP = """
import asyncio
from fastapi import FastAPI, Request
from ray import serve

asgi = FastAPI()

@asgi.post("/")
async def predict(request: Request):
    await asyncio.sleep(0.15)
    return {"version": "slow"}

@serve.deployment
@serve.ingress(asgi)
class App:
    pass

app = App.bind()
"""

DIMENSIONS = [
    {"Name": "EndpointName", "Value": "guarded"},
    {"Name": "VariantName", "Value": "AllTraffic"},
]
DEPLOYMENT = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "WaitIntervalInSeconds": 1800,
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        }
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "latency"}]},
}


@pytest.fixture
def cloudwatch(fast_embedded_aws):
    return fast_embedded_aws.client("cloudwatch")


def test_latency_alarm_rolls_back_a_slow_version_without_failed_requests(
    fast_embedded_aws, cloudwatch, until
):
    aws, queue = Hosting(fast_embedded_aws), Queue(fast_embedded_aws)
    pattern = {"detail-type": ["SageMaker Endpoint State Change"], "detail": {"EndpointName": ["guarded"]}}
    rule = Rule(fast_embedded_aws, pattern, {"Arn": queue.arn})
    aws.model("quick")
    aws.model("slow", aws.put("slow.tar.gz", {"code/app.py": SLOW_APP}))
    aws.config("quick", variant("quick"))
    aws.config("slow", variant("slow"))
    aws.endpoint("guarded", "quick")
    put_alarm(
        cloudwatch,
        "latency",
        Namespace="AWS/SageMaker",
        MetricName="ModelLatency",
        Dimensions=DIMENSIONS,
        ExtendedStatistic="p90",
        Threshold=120_000,
        TreatMissingData="notBreaching",
    )
    versions, failures, over = set(), [], threading.Event()

    def load() -> None:
        while not over.is_set():
            try:
                versions.add(aws.ask("guarded")["version"])
            except ClientError as error:
                failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: described(cloudwatch, "latency")["StateValue"] == "OK")
        aws.sagemaker.update_endpoint(
            EndpointName="guarded",
            EndpointConfigName="slow",
            DeploymentConfig=DEPLOYMENT,
        )
        endpoint = aws.stable("guarded")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert endpoint["EndpointConfigName"] == "quick" and "latency" in endpoint["FailureReason"]
    assert versions == {"1", "slow"} and failures == []
    rule.delete()
    until(lambda: len(queue.messages) >= 5)
    details = [m["detail"] for m in queue.messages]
    assert {d["EndpointName"] for d in details} == {"guarded"}
    statuses = sorted(d["EndpointStatus"] for d in details)
    assert statuses == ["CREATING", "IN_SERVICE", "IN_SERVICE", "ROLLING_BACK", "UPDATING"]
    (failed,) = [d for d in details if "FailureReason" in d]
    assert failed["EndpointStatus"] == "IN_SERVICE" and "latency" in failed["FailureReason"]
