"""What the check accepts, training, endpoint and function decode to the same tensor; what it refuses, it names."""

import asyncio
import base64
import json
import sys
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset import SplitImages, detect_channels, read_split
from export import export
from images import ImageError
from ml.jobs.data import conversion
from ml.jobs.data.manifest import manifest
from ml.jobs.data.validate import MIN_SIDE, validate
from model import build_model
from ops.paths import ROOT
from predict import Predictor
from preprocess import Preprocess
from process_group import ProcessGroup
from service import create_app
from serving_interface import CONTENT_TYPES
from tests.ml.container.odd_images import files
from tests.ml.jobs.data.pictures import pictures

sys.path.insert(0, str(ROOT / "lambda_function"))

from contract import Request, UnsupportedImage
from image_source import ImageSource

NAMES = st.sampled_from(
    ["a.jpg", "a.PNG", "a.bmp", "a.tif", "a", "a.txt", "a b#?.jpeg", "é.gif", "sub/a.png"]
)
COMMON = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module", params=[1, 3], ids=["gray", "RGB"])
def predictor(request, tmp_path_factory) -> Predictor:
    """A model with one or three channels."""
    folder = tmp_path_factory.mktemp("model")
    channels = request.param
    description = {
        "architecture": "small_cnn",
        "head": "linear",
        "temperature": 1.0,
        "classes": ["cat", "dog"],
        "image_size": 16,
        "resize_size": 16,
        "channels": channels,
        "mean": [0.5] * channels,
        "std": [0.5] * channels,
    }
    torch.manual_seed(0)
    state = build_model("small_cnn", 2, channels=channels, image_size=16).state_dict()
    export(folder, folder / "output", state, description, {})
    return Predictor(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A valid data set."""
    names = [f"{split}/{name}/0.png" for split in ("train", "valid", "test") for name in ("cat", "dog")]
    return pictures(tmp_path_factory.mktemp("whole") / "pets", names)


def post(predictor: Predictor, body: bytes, content_type: str) -> tuple[int, dict]:
    """Send an image to the endpoint's application. Returns status and JSON body."""
    app = create_app(Path("unused"))
    app.state.predictor = predictor
    headers = [
        (b"content-type", content_type.encode()),
        (b"x-amzn-sagemaker-custom-attributes", b"top_k=2,scores=true"),
    ]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "query_string": b""}
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


def through_function(data: bytes) -> tuple[bytes, str]:
    """Return what the function sends to the endpoint: the image and its content type. Raises UnsupportedImage."""
    return ImageSource(10**6, None).read(Request("image", base64.b64encode(data).decode()))  # type: ignore[arg-type]


def trained_on(stored: bytes, preprocess: Preprocess, folder: Path) -> torch.Tensor:
    """Return the tensor that training reads for a stored image."""
    (folder / "train" / "cat").mkdir(parents=True)
    (folder / "train" / "cat" / "image").write_bytes(stored)
    split = read_split("train", folder / "train")
    assert detect_channels(split) in (1, 3)
    ((images, _),) = SplitImages(split, preprocess, ProcessGroup(0, 1, torch.device("cpu")), folder).batches(
        [torch.tensor([0])]
    )
    return images[0]


@settings(COMMON, max_examples=100)
@given(data=files(), name=NAMES)
@pytest.mark.filterwarnings("ignore")
def test_accepted_images_are_one_tensor_everywhere(predictor, whole, tmp_path_factory, data, name):
    folder = tmp_path_factory.mktemp("one")
    path = folder / "pets" / "train" / "cat" / name
    path.parent.mkdir(parents=True)
    for file in whole.rglob("*.png"):
        target = folder / "pets" / file.relative_to(whole)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    path.write_bytes(data)
    key = f"train/cat/{name.replace('/', '__')}"
    report = validate(folder / "pets")
    assert {problem.file for problem in report.problems} <= {key}, "and no other file"
    if report.problems:
        assert report.skip == {key} and key in report.listing()
        assert len(manifest(folder / "pets", report.skip).files) == 6
        return

    made = manifest(folder / "pets", report.skip)
    assert len(made.files) == 7 and str(path) in made.sources.values()
    stored = conversion.to_png(data) if conversion.reason(data) else data
    preprocess = predictor.preprocess
    expected = trained_on(stored, preprocess, folder)
    assert torch.equal(preprocess.decode(data), expected)
    sent, content_type = through_function(data)
    assert sent == data and content_type in CONTENT_TYPES
    assert torch.equal(predictor.logits(stored), predictor.logits(data))
    for body in (data, stored):
        status, response = post(predictor, body, through_function(body)[1])
        assert status == 200
        assert list(response["scores"].values()) == pytest.approx(predictor.logits(stored).tolist(), abs=1e-5)


@settings(COMMON, max_examples=100)
@given(data=st.one_of(files(), st.binary(max_size=200)))
def test_what_the_check_refuses_the_endpoint_refuses_with_a_sentence(predictor, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tensor = predictor.preprocess.decode(data)
        except ImageError as error:
            assert str(error) and "0x" not in str(error)
            status, response = post(predictor, data, "application/x-image")
            assert (status, set(response)) == (400, {"error"}) or status == 413
            return
    assert tensor.shape == (predictor.preprocess.channels, 16, 16)
    try:
        assert through_function(data)[0] == data
    except UnsupportedImage:
        pytest.fail("the function refuses what the endpoint decodes")
    assert MIN_SIDE == 8
