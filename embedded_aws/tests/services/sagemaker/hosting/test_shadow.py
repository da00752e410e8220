"""Shadow variants: they get copies of requests, and their responses are discarded."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.hosting.fleet import SHADOW_REQUESTS, Fleet
from hosting_kit import Hosting, serverless, variant

SHADOW = """
import asyncio
from fastapi import FastAPI, Request, Response
from ray import serve

asgi = FastAPI()

@asgi.post("/")
async def predict(request: Request):
    await asyncio.sleep(1)
    print("shadow of", len(await request.body()), flush=True)
    return Response("no", 500)

@serve.deployment
@serve.ingress(asgi)
class App:
    pass

app = App.bind()
"""


@pytest.mark.parametrize(
    ("production", "shadow", "drawn", "sampled"),
    [
        (1, 1, 0.99, True),
        (1, 0.25, 0.24, True),
        (1, 0.25, 0.25, False),
        (4, 1, 0.25, False),
        (1, 0, 0.0, False),
    ],
)
def test_shadow_sampling_rate_is_the_ratio_of_the_weights(monkeypatch, production, shadow, drawn, sampled):
    fleet = made(production, shadow, SimpleNamespace(healthy=True, in_flight=0))
    monkeypatch.setattr("embedded_aws.services.sagemaker.hosting.fleet.random.random", lambda: drawn)
    assert bool(fleet.acquire_shadow()) is sampled
    assert fleet.acquire(None) is None  # a shadow variant never serves requests
    with pytest.raises(KeyError):
        fleet.acquire("Shadow")


def test_busy_shadow_skips_requests():
    fleet = made(1, 1, SimpleNamespace(healthy=True, in_flight=SHADOW_REQUESTS - 1))
    _, instance = fleet.acquire_shadow()
    assert fleet.acquire_shadow() is None
    fleet.release(instance)
    assert fleet.acquire_shadow()


def made(production: float, shadow: float, instance: SimpleNamespace) -> Fleet:
    deployment = {
        "Id": "1",
        "Variants": [{"VariantName": "Production", "CurrentWeight": production}],
        "ShadowVariants": [{"VariantName": "Shadow", "CurrentWeight": shadow}],
    }
    fleet = Fleet(Runtime(home=Path("unused"), port=1), deployment, "us-east-1", lambda *_: None)
    fleet._instances["Shadow"] = [instance]
    return fleet


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    running.model("shadowed")
    running.model("shadow", running.put("shadow.tar.gz", {"code/app.py": SHADOW}))
    yield running
    running.delete_endpoints()


def test_slow_and_failing_shadow_affects_no_request(aws):
    aws.config("shadowed", variant("shadowed"), ShadowProductionVariants=[variant("shadow", "Shadow")])
    aws.endpoint("shadowed", "shadowed")
    described = aws.sagemaker.describe_endpoint(EndpointName="shadowed")
    [production], [shadow] = described["ProductionVariants"], described["ShadowProductionVariants"]
    assert (production["VariantName"], shadow["VariantName"]) == ("AllTraffic", "Shadow")
    assert shadow["CurrentInstanceCount"] == 1 and shadow["CurrentWeight"] == 1
    with pytest.raises(ClientError, match="Variant Shadow not found"):
        aws.ask("shadowed", TargetVariant="Shadow")
    answers = [aws.ask("shadowed", b"x" * 1000) for _ in range(3)]
    assert {(answer["variant"], answer["size"]) for answer in answers} == {("AllTraffic", 1000)}

    def of(name: str, metric: str, statistic: str = "Sum") -> float | None:
        return aws.metric("shadowed", metric, statistic, VariantName=name)

    aws.until(lambda: of("Shadow", "Invocation5XXErrors") == 3)
    assert of("Shadow", "Invocations") == of("AllTraffic", "Invocations") == 3
    assert of("AllTraffic", "Invocation5XXErrors") == 0
    assert of("Shadow", "ModelLatency", "Minimum") > max(
        1e6, of("AllTraffic", "ModelLatency", "Maximum") + of("AllTraffic", "OverheadLatency", "Maximum")
    )
    logs = aws.client("logs").describe_log_streams(logGroupName="/aws/sagemaker/Endpoints/shadowed")
    assert {s["logStreamName"].split("/")[0] for s in logs["logStreams"]} == {"AllTraffic", "Shadow"}
    wanted = [{"VariantName": "Shadow", "DesiredWeight": 0}]
    aws.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="shadowed", DesiredWeightsAndCapacities=wanted
    )
    [shadow] = aws.stable("shadowed")["ShadowProductionVariants"]
    assert shadow["CurrentWeight"] == 0
    aws.sagemaker.delete_endpoint(EndpointName="shadowed")


ASYNC = {"OutputConfig": {"S3OutputPath": "s3://hosting-models/async"}}


@pytest.mark.parametrize(
    ("variants", "shadows", "settings", "message"),
    [
        ([variant("shadowed")], [variant("shadow")], {}, "names must be unique: AllTraffic, AllTraffic"),
        ([variant("shadowed"), variant("shadowed", "B")], [variant("shadow", "S")], {}, "not 2 and 1"),
        ([variant("shadowed")], [variant("shadow", "S"), variant("shadow", "T")], {}, "not 1 and 2"),
        ([variant("shadowed")], [variant("absent", "S")], {}, "Could not find model"),
        ([variant("shadowed")], [serverless("shadow", name="S")], {}, "with ServerlessConfig of variant S"),
        (
            [serverless("shadowed")],
            [variant("shadow", "S")],
            {},
            "with ServerlessConfig of variant AllTraffic",
        ),
        ([variant("shadowed")], [variant("shadow", "S")], {"AsyncInferenceConfig": ASYNC}, "with AsyncInfer"),
        (
            [variant("shadowed")],
            [variant("shadow", "S", kind="ml.g5.xlarge")],
            {"KmsKeyId": "k"},
            "ml.g5.xlarge",
        ),
    ],
)
def test_invalid_shadow_variant_is_refused(aws, variants, shadows, settings, message):
    with pytest.raises(ClientError, match=message) as error:
        aws.config("refused-shadow", *variants, ShadowProductionVariants=shadows, **settings)
    assert error.value.response["Error"]["Code"] == "ValidationException"
