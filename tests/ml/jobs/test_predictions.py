"""Predictions: the event, the function's answer, the accuracy on a split, asynchronous endpoints."""

import base64
import io
import json
import threading

import pytest

from ml.jobs import predictions
from ops import s3
from ops.errors import OperatorError
from tests.environments import with_clients


@pytest.fixture
def function():
    """A Lambda function whose answer a test sets; `.events` are its events."""

    class Function:
        def __init__(self):
            self.events, self.answer = [], lambda event: {"statusCode": 200, "body": {}}
            self.function_error = None
            self.at_once, self.most = 0, 0
            self.lock = threading.Lock()

        def invoke(self, FunctionName, Qualifier, Payload):
            assert (FunctionName, Qualifier) == ("image-classifier-dev-inference", "live")
            with self.lock:
                self.at_once += 1
                self.most = max(self.most, self.at_once)
            event = json.loads(Payload)
            self.events.append(event)
            payload = json.dumps(self.answer(event)).encode()
            with self.lock:
                self.at_once -= 1
            return {"Payload": io.BytesIO(payload)} | (
                {"FunctionError": self.function_error} if self.function_error else {}
            )

    return Function()


@pytest.fixture
def env(dev, function):
    """Environment dev with the fake function."""
    return with_clients(dev, lambda_=function)


def test_a_file_is_sent_as_base64(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG picture")
    event = predictions.event(str(tmp_path / "a.png"), None, None, 3)
    assert base64.b64decode(event.pop("image")) == b"\x89PNG picture"
    assert event == {"top_k": 3}


def test_a_url_or_an_object_is_sent_by_name():
    assert predictions.event(None, "https://a.example/b.png", None, None) == {
        "url": "https://a.example/b.png"
    }
    assert predictions.event(None, None, "s3://bucket/key", 5) == {"s3": "s3://bucket/key", "top_k": 5}


@pytest.mark.parametrize(
    ("image", "url", "s3_uri", "message"),
    [
        (None, None, None, "not none"),
        ("a.png", "https://a", None, "not --image and --url"),
        ("a.png", "https://a", "s3://b/c", "not --image and --url and --s3"),
    ],
)
def test_exactly_one_image_is_required(image, url, s3_uri, message):
    with pytest.raises(OperatorError, match=f"exactly one of --image, --url and --s3, {message}"):
        predictions.event(image, url, s3_uri, None)


def test_an_unreadable_image_is_refused(tmp_path):
    with pytest.raises(OperatorError, match=rf"image {tmp_path}/a\.png could not be read: No such file"):
        predictions.event(str(tmp_path / "a.png"), None, None, None)
    with pytest.raises(OperatorError, match="could not be read: Is a directory"):
        predictions.event(str(tmp_path), None, None, None)


def test_an_image_too_large_for_a_request_is_refused(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(predictions.MAX_IMAGE_BYTES + 1)
    with pytest.raises(OperatorError, match=r"4,500,001 bytes, and a request takes 4,500,000: reduce it"):
        predictions.event(str(tmp_path / "a.png"), None, None, None)


def test_the_largest_image_fits_a_synchronous_payload():
    assert predictions.MAX_IMAGE_BYTES * 4 / 3 < 6 * 1024 * 1024


def test_invoke_returns_the_body(function, env, serving):
    body = {"predictions": [{"label": "cat", "probability": 0.5}], "scores": {"cat": 0.1}}
    function.answer = lambda event: {"statusCode": 200, "body": body}
    assert predictions.invoke(env, serving, {"s3": "s3://b/k"}) == body
    assert function.events == [{"s3": "s3://b/k"}]


def test_an_error_of_the_function_is_reported_in_its_words(function, env, serving):
    error = {"type": "ImageTooLarge", "message": "60 megapixels"}
    function.answer = lambda event: {"statusCode": 413, "body": {"error": error}}
    with pytest.raises(
        OperatorError,
        match=r"^The function image-classifier-dev-inference answered 413 ImageTooLarge: 60 megapixels\.$",
    ):
        predictions.invoke(env, serving, {})


def test_a_crash_of_the_function_names_its_log(function, env, serving):
    function.function_error = "Unhandled"
    function.answer = lambda event: {"errorType": "KeyError", "errorMessage": "'x'"}
    with pytest.raises(
        OperatorError, match=r"failed: KeyError: 'x'\. Its log is in /aws/lambda/image-classifier-dev"
    ):
        predictions.invoke(env, serving, {})


def test_an_example_is_an_image_of_the_split_with_its_label(account, dev):
    assert predictions.example(dev) == (s3.S3Uri(dev.data_bucket, "datasets/sample/test/0/0.png"), "0")


def answer_zero(event: dict) -> dict:
    return {"statusCode": 200, "body": {"predictions": [{"label": "0", "probability": 0.9}]}}


def test_accuracy_is_over_the_whole_split(account, function, env, serving):
    function.answer = answer_zero
    progress = []
    result = predictions.accuracy(env, serving, on_progress=lambda *p: progress.append(p))
    assert (result.images, result.correct, result.value) == (10, 5, 0.5)
    assert result.wrong[0] == ("test/1/0.png", "1", "0")
    assert progress == [(n, 10) for n in range(1, 11)]
    assert len({event["s3"] for event in function.events}) == 10
    assert all("/test/" in event["s3"] and event["top_k"] == 1 for event in function.events)


def test_concurrency_is_at_most_the_provisioned_concurrency(account, function, env, serving):
    function.answer = answer_zero
    for provisioned, most in ((2, 2), (0, 1)):
        function.most = 0
        target = serving.model_copy(update={"provisioned_concurrency": provisioned})
        predictions.accuracy(env, target)
        assert function.most <= most


def test_a_limit_below_one_is_refused(account, env, serving):
    with pytest.raises(OperatorError, match=r"--limit -3: give 1 or more\."):
        predictions.accuracy(env, serving, limit=-3)


@pytest.mark.parametrize(("limit", "images"), [(1, 1), (3, 3), (10, 10), (99, 10)])
def test_a_limit_selects_images_from_all_over_the_split(account, function, env, serving, limit, images):
    function.answer = answer_zero
    assert predictions.accuracy(env, serving, limit=limit).images == images
    if limit == 3:
        assert {event["s3"].split("/")[-2] for event in function.events} == {"0", "1"}


def test_an_unknown_split_is_refused(account, env, serving):
    with pytest.raises(
        OperatorError, match="no images in a split 'validation': choose one of train, valid, test"
    ):
        predictions.accuracy(env, serving, split="validation")


class AsyncEndpoint:
    """An asynchronous endpoint that writes an answer or a failure to S3, or nothing."""

    def __init__(self, env):
        self._env = env
        self.answers = {"out": b'{"predictions": [{"label": "0", "probability": 1}]}'}
        self.request: dict = {}

    def invoke_endpoint_async(self, **request):
        self.request = request
        for key, body in self.answers.items():
            self._env.client("s3").put_object(Bucket=self._env.data_bucket, Key=key, Body=body)
        locations = (f"s3://{self._env.data_bucket}/{name}" for name in ("out", "error"))
        return dict(zip(("OutputLocation", "FailureLocation"), locations, strict=True))


@pytest.fixture
def image(account, dev):
    dev.client("s3").put_object(Bucket=dev.data_bucket, Key="datasets/a.png", Body=b"image")
    return s3.in_data_bucket(dev, "datasets/a.png")


@pytest.fixture
def endpoint(account, dev):
    return AsyncEndpoint(dev)


@pytest.fixture
def async_env(dev, endpoint):
    """Environment dev with the fake asynchronous endpoint."""
    return with_clients(dev, sagemaker_runtime=endpoint)


@pytest.fixture
def target(serving):
    return serving.model_copy(update={"hosting": "asynchronous", "function_name": None})


def test_an_asynchronous_endpoint_is_invoked_through_the_bucket(async_env, endpoint, target, image):
    assert predictions.invoke_async(async_env, target, image)["predictions"][0]["label"] == "0"
    key = "async/image-classifier-dev/input/a.png"
    assert endpoint.request["InputLocation"] == f"s3://{async_env.data_bucket}/{key}"
    assert s3.get(async_env, s3.in_data_bucket(async_env, key)) == b"image"


def test_a_failure_of_an_asynchronous_endpoint_is_reported(async_env, endpoint, target, image):
    endpoint.answers = {"error": b"no image"}
    with pytest.raises(OperatorError, match=r"endpoint image-classifier-dev failed: no image\.$"):
        predictions.invoke_async(async_env, target, image)


def test_an_asynchronous_endpoint_that_never_answers_is_an_error(
    async_env, endpoint, target, image, fast_clock
):
    endpoint.answers = {}
    with pytest.raises(OperatorError, match=r"has not answered within 15 minutes: .*/out nor .*/error"):
        predictions.invoke_async(async_env, target, image)
    assert 900 < sum(fast_clock) < 930


def test_an_asynchronous_endpoint_has_no_function(async_env, target):
    with pytest.raises(
        OperatorError, match=r"is asynchronous .* s3://.*/async/image-classifier-dev/input/ .*-async"
    ):
        predictions.invoke(async_env, target, {})
