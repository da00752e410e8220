"""The HTTP service, called the way an ASGI server calls it."""

import asyncio
import copyreg
import io
import json

import cloudpickle
import pytest
import torch
from PIL import Image
from starlette.datastructures import State

from errors import InputError
from export import export
from model import build_model
from predict import Predictor
from service import create_app
from serving_interface import MAX_BODY_BYTES

CLASSES = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]
DESCRIPTION = {
    "architecture": "small_cnn",
    "head": "linear",
    "temperature": 2.0,
    "classes": CLASSES,
    "image_size": 16,
    "resize_size": 16,
    "channels": 3,
    "mean": [0.5] * 3,
    "std": [0.5] * 3,
}


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    state = build_model("small_cnn", len(CLASSES), image_size=16).state_dict()
    export(folder, folder / "output", state, DESCRIPTION, {})
    return folder


@pytest.fixture(autouse=True)
def threads():
    """The service sets the number of torch threads in this process: restore it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def call(app, method="POST", path="/", body=b"", content_type="image/png", attributes=None):
    """Start the application, send one request, and shut it down. Returns status and JSON body."""
    headers = [(b"content-type", content_type.encode())]
    if attributes is not None:
        headers.append((b"x-amzn-sagemaker-custom-attributes", attributes.encode()))
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    async def serve():
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)

    asyncio.run(serve())
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


def png(size=(20, 20), color=(10, 200, 90)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def test_classify_returns_the_most_probable_classes(model_dir):
    status, response = call(create_app(model_dir), body=png())
    assert status == 200
    assert response["model"] == {"architecture": "small_cnn", "classes": 7}
    assert "scores" not in response
    probabilities = [prediction["probability"] for prediction in response["predictions"]]
    assert len(probabilities) == 5
    assert probabilities == sorted(probabilities, reverse=True)
    logits = Predictor(model_dir).logits(png())
    assert response["predictions"][0]["label"] == CLASSES[int(logits.argmax())]
    assert probabilities[0] == pytest.approx(float((logits / 2).softmax(0).max()), abs=1e-5)


def test_attributes_set_top_k_and_scores(model_dir):
    status, response = call(create_app(model_dir), body=png(), attributes="top_k=7, scores=true, trace=abc")
    assert status == 200
    assert sorted(prediction["label"] for prediction in response["predictions"]) == CLASSES
    assert sum(prediction["probability"] for prediction in response["predictions"]) == pytest.approx(
        1, abs=1e-5
    )
    assert list(response["scores"]) == CLASSES
    assert list(response["scores"].values()) == Predictor(model_dir).logits(png()).tolist()
    best = max(response["scores"], key=response["scores"].get)
    assert best == response["predictions"][0]["label"]


@pytest.mark.parametrize(
    "attributes", ["top_k=0", "top_k=8", "top_k=two", "top_k=-1", "top_k=", "scores=maybe"]
)
def test_invalid_attributes_are_refused(model_dir, attributes):
    status, response = call(create_app(model_dir), body=png(), attributes=attributes)
    assert status == 400
    assert attributes.partition("=")[0] in response["error"]


@pytest.mark.parametrize(
    "content_type", ["image/png", "image/jpeg; q=1", "image/webp", "application/x-image"]
)
def test_image_content_types_are_accepted(model_dir, content_type):
    assert call(create_app(model_dir), body=png(), content_type=content_type)[0] == 200


@pytest.mark.parametrize("content_type", ["application/x-npy", "text/plain", ""])
def test_other_content_types_are_refused(model_dir, content_type):
    status, response = call(create_app(model_dir), body=png(), content_type=content_type)
    assert status == 415
    assert "content type" in response["error"]


@pytest.mark.parametrize("body", [b"", b"not an image", png()[:40]])
def test_a_body_that_is_not_an_image_is_refused(model_dir, body):
    status, response = call(create_app(model_dir), body=body)
    assert status == 400
    assert set(response) == {"error"}
    assert "Traceback" not in response["error"]


def test_too_many_pixels_and_bytes_are_refused(model_dir):
    buffer = io.BytesIO()
    Image.new("1", (10_000, 5_001)).save(buffer, "PNG")
    assert call(create_app(model_dir), body=buffer.getvalue())[0] == 413
    assert call(create_app(model_dir), body=bytes(MAX_BODY_BYTES + 1))[0] == 413


def test_health_responds_and_unknown_routes_do_not_exist(model_dir):
    app = create_app(model_dir)
    assert call(app, "GET", "/healthz") == (200, {"status": "ok"})
    assert call(app, "GET", "/docs")[0] == 404


def test_the_service_does_not_start_with_an_incomplete_artifact(tmp_path):
    with pytest.raises(InputError, match=r"no model\.json"):
        call(create_app(tmp_path), "GET", "/healthz")


def test_the_application_can_be_pickled_for_a_ray_replica(model_dir):
    copyreg.pickle(State, lambda state: (State, (state._state,)))  # Ray registers the same reducer
    app = cloudpickle.loads(cloudpickle.dumps(create_app(model_dir)))
    assert call(app, body=png())[0] == 200
