"""The function's environment variables, and Terraform, which sets them."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from configuration import DEFAULT_MAX_IMAGE_BYTES, Settings
from ml.jobs import predictions

SERVING = Path(__file__).parents[2] / "terraform" / "serving"


def test_read_parses_the_variables():
    settings = Settings.read({"ENDPOINT_NAME": "image-classifier-local"})
    assert settings.max_image_bytes == 4_500_000 and settings.allowed_url_hosts == ()
    assert settings.image_bucket == "" and settings.log_level == "INFO"
    full = Settings.read(
        {
            "ENDPOINT_NAME": "e",
            "MAX_IMAGE_BYTES": "100",
            "ALLOWED_URL_HOSTS": " Pictures.example, *.cdn.example ,",
            "IMAGE_BUCKET": "b",
            "IMAGE_PREFIX": "datasets/",
            "LOG_LEVEL": "ERROR",
        }
    )
    assert full == Settings(
        endpoint_name="e",
        max_image_bytes=100,
        allowed_url_hosts=("pictures.example", "*.cdn.example"),
        image_bucket="b",
        image_prefix="datasets/",
        log_level="ERROR",
    )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"ENDPOINT_NAME": ""}, "ENDPOINT_NAME"),
        ({"ENDPOINT_NAME": "has space"}, "has space"),
        ({"ENDPOINT_NAME": "x" * 64}, "ENDPOINT_NAME"),
        ({"MAX_IMAGE_BYTES": "lots"}, "lots"),
        ({"MAX_IMAGE_BYTES": "0"}, "MAX_IMAGE_BYTES"),
        ({"MAX_IMAGE_BYTES": "7000000"}, "7000000"),
        ({"ALLOWED_URL_HOSTS": "https://a.example"}, "https://a.example"),
        ({"ALLOWED_URL_HOSTS": "*"}, r"'\*'"),
        ({"LOG_LEVEL": "LOUD"}, "LOUD"),
    ],
)
def test_an_invalid_variable_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Settings.read({"ENDPOINT_NAME": "e"} | change)


def test_terraform_sets_every_variable_and_no_other():
    text = "\n".join(path.read_text() for path in SERVING.glob("*.tf"))
    (block,) = re.findall(r"environment = \{\n(\s+ENDPOINT_NAME.*?)\n  \}", text, re.DOTALL)
    assert set(re.findall(r"^\s+(\w+)\s+=", block, re.MULTILINE)) == {
        field.name.upper() for field in fields(Settings)
    }


def test_predict_refuses_what_the_function_would_refuse():
    assert predictions.MAX_IMAGE_BYTES == DEFAULT_MAX_IMAGE_BYTES
