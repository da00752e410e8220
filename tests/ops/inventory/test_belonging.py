"""Names and tags: this environment's and no other's."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ops import settings
from ops.inventory.belonging import Belonging

DEV = settings.load("dev")
words = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
suffixes = st.from_regex(r"([-./:][A-Za-z0-9._-]{1,12})?", fullmatch=True)
places = st.sampled_from(
    ["", "/aws/lambda/", "/aws/sagemaker/Endpoints/", "endpoint/", "TargetTracking-endpoint/", "alias/"]
)


def of(project: str, environment: str) -> Belonging:
    return Belonging(DEV.model_copy(update={"project": project, "environment": environment}))


@given(words, words, places, suffixes)
def test_the_prefix_is_found_in_every_place(project, environment, place, suffix):
    assert of(project, environment).named(f"{place}{project}-{environment}{suffix}")


@given(words, words, words, places, suffixes)
def test_no_longer_environment_or_project_matches(project, environment, more, place, suffix):
    assume(more != project and project not in suffix)
    ours = of(project, environment)
    assert not ours.named(f"{place}{project}-{environment}{more}{suffix}")
    assert not ours.named(f"{place}{more}-{project}-{environment}{suffix}")
    assert not ours.named(f"{place}{more}{project}-{environment}{suffix}")


@given(words, words, words, suffixes)
def test_another_environment_of_the_project_does_not_match(project, environment, other, suffix):
    assert of(project, environment).named(f"{project}-{other}{suffix}") == (other == environment)


@given(words, words, words)
def test_paths_match_whole_words(project, environment, more):
    assume(more != project)
    ours = of(project, environment)
    assert ours.named(f"/{project}/{environment}/serving/x") and ours.named(f"/{project}/{environment}")
    assert not ours.named(f"/{project}/{environment}{more}/serving/x")
    assert not ours.named(f"/{more}/{project}/{environment}/x")


@pytest.mark.parametrize(
    ("tags", "tagged", "foreign", "by_terraform"),
    [
        ({}, False, False, False),
        ({"Project": "image-classifier"}, False, False, False),
        ({"Project": "image-classifier", "Environment": "prod"}, False, True, False),
        ({"Project": "other", "Environment": "dev"}, False, True, False),
        ({"Project": "image-classifier", "Environment": "dev"}, True, False, False),
        ({"Project": "image-classifier", "Environment": "dev", "ManagedBy": "terraform"}, True, False, True),
        ({"Project": "image-classifier", "Environment": "dev", "Stack": "access"}, False, True, False),
    ],
)
def test_tags(tags, tagged, foreign, by_terraform):
    ours = Belonging(DEV)
    assert (ours.tagged(tags), ours.foreign(tags), ours.by_terraform(tags)) == (tagged, foreign, by_terraform)
