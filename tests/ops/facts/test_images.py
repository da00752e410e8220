"""The images of jobs and endpoints: their registry differs by region."""

import pytest

from ops.errors import Refused
from ops.facts import images


@pytest.mark.parametrize(
    ("region", "account"),
    [("us-east-1", "763104351884"), ("eu-south-1", "692866216735"), ("ap-southeast-3", "907027046896")],
)
def test_the_registry_is_that_of_the_region(region, account):
    for image in (images.training_image, images.serving_image):
        assert image(region, "ml.m5.large").startswith(f"{account}.dkr.ecr.{region}.amazonaws.com/")


def test_a_region_without_images_is_refused_and_others_are_named():
    with pytest.raises(Refused, match=r"no Deep Learning Containers for region 'us-esat-1', .*us-east-1"):
        images.training_image("us-esat-1", "ml.m5.large")
