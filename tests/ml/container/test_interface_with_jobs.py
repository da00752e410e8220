"""The container's declared interface, and the operator's code that must match it without importing it."""

import ast
from typing import get_args

import pytest

import serving_interface
from export import SERVING_MODULES
from hyperparameters import Hyperparameters, parse_hyperparameters
from ml.jobs import job_inputs, registry
from model import ARCHITECTURES
from ops import settings
from ops.settings.jobs import TUNABLE, Architecture, ModelSettings, TrainingSettings
from tests.ml.container.conftest import CONTAINER


def test_the_model_package_matches_the_serving_interface():
    assert registry.SERVING_ENVIRONMENT == serving_interface.ENVIRONMENT
    assert tuple(registry.CONTENT_TYPES) == serving_interface.CONTENT_TYPES
    assert tuple(registry.RESPONSE_TYPES) == serving_interface.RESPONSE_TYPES


def test_the_declared_application_exists_in_the_artifact():
    module, _, attribute = serving_interface.ENVIRONMENT["SM_RAYSERVE_APP"].partition(":")
    assert module in SERVING_MODULES
    tree = ast.parse((CONTAINER / f"{module}.py").read_text())
    assigned = {name.id for node in tree.body if isinstance(node, ast.Assign) for name in node.targets}
    assert attribute in assigned


def test_a_job_sets_every_hyperparameter_that_is_not_tuned():
    fixed = job_inputs.hyperparameters(settings.load("dev"), epochs=3)
    declared = {name.replace("_", "-") for name in Hyperparameters.__dataclass_fields__}
    assert set(fixed) | set(TUNABLE) == declared
    flags = [word for name, value in fixed.items() for word in (f"--{name}", value)]
    assert parse_hyperparameters(flags, tuple(ARCHITECTURES)).epochs == 3


def test_settings_offer_the_architectures_of_the_container():
    assert get_args(Architecture) == tuple(ARCHITECTURES)


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (ModelSettings, "image_size"),
        (TrainingSettings, "epochs"),
        (TrainingSettings, "weight_decay"),
    ],
)
def test_the_container_accepts_the_limits_of_the_settings(section, name):
    """Hyperparameters raises InputError for a value out of the container's range."""
    constraints = section.model_fields[name].metadata
    limits = [getattr(c, kind) for c in constraints for kind in ("ge", "le") if hasattr(c, kind)]
    assert len(limits) == 2
    assert [getattr(Hyperparameters(**{name: limit}), name) for limit in limits] == limits
