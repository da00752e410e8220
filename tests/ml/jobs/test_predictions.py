"""Predictions as a caller asks for them: the event, the function's answer, the accuracy on a split."""

import base64
import io
import json
import threading

import pytest

from ml.jobs import predictions as predict
from ops.aws import client
from ops.errors import OperatorError


@pytest.fixture
def function(monkeypatch):
    """A Lambda function whose answer a test gives; `.events` are what it was asked."""

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

    fake = Function()
    monkeypatch.setattr(
        predict, "client", lambda service, region: fake if service == "lambda" else client(service, region)
    )
    return fake


def test_a_file_is_sent_as_base64(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG picture")
    event = predict.event(str(tmp_path / "a.png"), None, None, 3)
    assert base64.b64decode(event.pop("image")) == b"\x89PNG picture"
    assert event == {"top_k": 3}


def test_a_url_or_an_object_is_only_named():
    assert predict.event(None, "https://a.example/b.png", None, None) == {"url": "https://a.example/b.png"}
    assert predict.event(None, None, "s3://bucket/key", 5) == {"s3": "s3://bucket/key", "top_k": 5}


@pytest.mark.parametrize(
    ("image", "url", "s3", "told"),
    [
        (None, None, None, "not none"),
        ("a.png", "https://a", None, "not --image and --url"),
        ("a.png", "https://a", "s3://b/c", "not --image and --url and --s3"),
    ],
)
def test_exactly_one_picture(image, url, s3, told):
    with pytest.raises(OperatorError, match=f"exactly one of --image, --url and --s3, {told}"):
        predict.event(image, url, s3, None)


def test_a_picture_that_is_not_there(tmp_path):
    with pytest.raises(OperatorError, match=rf"picture {tmp_path}/a\.png could not be read: No such file"):
        predict.event(str(tmp_path / "a.png"), None, None, None)
    with pytest.raises(OperatorError, match="could not be read: Is a directory"):
        predict.event(str(tmp_path), None, None, None)


def test_a_picture_too_large_for_a_request_goes_by_s3(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(predict.MAX_IMAGE_BYTES + 1)
    with pytest.raises(OperatorError, match=r"4,500,001 bytes, and a request takes 4,500,000: .*--s3"):
        predict.event(str(tmp_path / "a.png"), None, None, None)


def test_the_largest_picture_fits_a_synchronous_payload():
    assert predict.MAX_IMAGE_BYTES * 4 / 3 < 6 * 1024 * 1024


def test_the_answer_is_the_body(function, dev, serving):
    function.answer = lambda event: {"statusCode": 200, "body": {"predictions": [event["s3"]]}}
    assert predict.invoke(dev, serving, {"s3": "s3://b/k"}) == {"predictions": ["s3://b/k"]}


def test_a_refusal_is_told_in_the_function_s_words(function, dev, serving):
    error = {"type": "ImageTooLarge", "message": "60 megapixels"}
    function.answer = lambda event: {"statusCode": 413, "body": {"error": error}}
    with pytest.raises(OperatorError, match=r"^The function answered 413 ImageTooLarge: 60 megapixels"):
        predict.invoke(dev, serving, {})


def test_a_crash_names_the_log(function, dev, serving):
    function.function_error = "Unhandled"
    function.answer = lambda event: {"errorType": "KeyError", "errorMessage": "'x'"}
    with pytest.raises(
        OperatorError, match=r"failed: KeyError: 'x'; its log is in /aws/lambda/image-classifier-dev"
    ):
        predict.invoke(dev, serving, {})


def test_an_example_is_a_picture_of_the_split_with_its_label(account, dev, foundation):
    assert predict.example(dev, foundation) == (f"s3://{foundation.bucket}/datasets/sample/test/0/0.png", "0")


def answer_zero(event: dict) -> dict:
    return {"statusCode": 200, "body": {"predictions": [{"label": "0", "probability": 0.9}]}}


def test_accuracy_is_over_the_whole_split(account, function, dev, foundation, serving):
    function.answer = answer_zero
    progress = []
    result = predict.accuracy(dev, foundation, serving, on_progress=lambda *p: progress.append(p))
    assert (result.pictures, result.correct, result.value) == (10, 5, 0.5)
    assert result.wrong[0] == ("test/1/0.png", "1", "0")
    assert progress == [(n, 10) for n in range(1, 11)]
    assert len({event["s3"] for event in function.events}) == 10
    assert all("/test/" in event["s3"] and event["top_k"] == 1 for event in function.events)


def test_no_more_at_a_time_than_warm_environments(account, function, dev, foundation, serving):
    function.answer = answer_zero
    for provisioned, most in ((2, 2), (0, 1)):
        function.most = 0
        target = serving.model_copy(update={"provisioned_concurrency": provisioned})
        predict.accuracy(dev, foundation, target)
        assert function.most <= most


def test_a_limit_below_one_is_refused(account, dev, foundation, serving):
    with pytest.raises(OperatorError, match=r"--limit -3: give 1 or more\."):
        predict.accuracy(dev, foundation, serving, limit=-3)


@pytest.mark.parametrize(("limit", "pictures"), [(1, 1), (3, 3), (10, 10), (99, 10)])
def test_a_limit_takes_pictures_from_all_over_the_split(
    account, function, dev, foundation, serving, limit, pictures
):
    function.answer = answer_zero
    assert predict.accuracy(dev, foundation, serving, limit=limit).pictures == pictures
    if limit == 3:
        assert {event["s3"].split("/")[-2] for event in function.events} == {"0", "1"}


def test_an_unknown_split_is_refused(account, dev, foundation, serving):
    with pytest.raises(OperatorError, match="no split 'validation': choose train, valid or test"):
        predict.accuracy(dev, foundation, serving, split="validation")


@pytest.fixture
def asynchronous(account, dev, foundation, serving, monkeypatch):
    """An asynchronous endpoint that writes `answer` or `failure` to S3; tells what it was asked."""

    class Endpoint:
        answer, failure, asked = b'{"predictions": []}', None, None
        target = serving.model_copy(update={"hosting": "asynchronous", "function_name": None})

        def invoke_endpoint_async(self, InputLocation, **asked):
            self.asked = {"InputLocation": InputLocation, **asked}
            name = "out" if self.failure is None else "error"
            body = self.answer if self.failure is None else self.failure
            client("s3", dev.region).put_object(Bucket=foundation.bucket, Key=name, Body=body)
            locations = (f"s3://{foundation.bucket}/{name}" for name in ("out", "error"))
            return dict(zip(("OutputLocation", "FailureLocation"), locations, strict=True))

    endpoint = Endpoint()
    real = predict.client
    monkeypatch.setattr(
        predict,
        "client",
        lambda name, region: endpoint if name == "sagemaker-runtime" else real(name, region),
    )
    client("s3", dev.region).put_object(Bucket=foundation.bucket, Key="datasets/a.png", Body=b"picture")
    return endpoint


def test_an_asynchronous_endpoint_is_asked_through_the_bucket(asynchronous, dev, foundation):
    uri = f"s3://{foundation.bucket}/datasets/a.png"
    assert predict.invoke_asynchronously(dev, foundation, asynchronous.target, uri) == {"predictions": []}
    key = "async/image-classifier-dev/input/a.png"
    assert asynchronous.asked["InputLocation"] == f"s3://{foundation.bucket}/{key}"
    assert client("s3", dev.region).get_object(Bucket=foundation.bucket, Key=key)["Body"].read() == b"picture"
    asynchronous.failure = b"no picture"
    client("s3", dev.region).delete_object(Bucket=foundation.bucket, Key="out")
    with pytest.raises(OperatorError, match="endpoint image-classifier-dev failed: no picture"):
        predict.invoke_asynchronously(dev, foundation, asynchronous.target, uri)


def test_an_asynchronous_endpoint_has_no_function_to_ask(asynchronous, dev):
    with pytest.raises(
        OperatorError, match=r"answers asynchronously .* async/image-classifier-dev/input/ .*-async"
    ):
        predict.invoke(dev, asynchronous.target, {})
