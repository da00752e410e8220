"""The container's declared interface, and the operator's code that must match it without importing it."""

import ast
import contextlib
from pathlib import Path
from typing import get_args

import pytest

import architectures
import images
import run_setup
import serving_interface
from export import SERVING_MODULES
from hyperparameters import HEADS, MODES, Hyperparameters, parse_hyperparameters
from ml.jobs import job_inputs, training
from ops import settings
from ops.facts import architectures as architecture_facts
from ops.paths import ROOT
from ops.settings.jobs import Mode, ModelSettings, TrainingSettings
from ops.settings.recipe import RecipeSettings
from ops.settings.tunable import TUNABLE
from tests.ml.container.conftest import CONTAINER


def function_of(path: Path, name: str) -> str:
    """Return the code of a function, without comments."""
    (found,) = [
        n
        for n in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(n, ast.FunctionDef) and n.name == name
    ]
    return ast.unparse(found)


def constants(path: Path) -> dict[str, object]:
    """Return the literals that a module assigns to its names."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with contextlib.suppress(ValueError):
                found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def test_the_function_recognizes_the_formats_of_the_decoder():
    files = CONTAINER / "images.py", ROOT / "lambda_function" / "image_formats.py"
    here, there = (constants(path) for path in files)
    for name in ("MEDIA_TYPES", "NAMES", "HEAD_BYTES", "_BMP_HEADERS"):
        assert here[name] == there[name], name
    assert function_of(files[0], "identify") == function_of(files[1], "identify")


def test_the_endpoint_accepts_the_media_type_of_every_format():
    media_types = images.MEDIA_TYPES.values()
    assert set(serving_interface.CONTENT_TYPES) == {*media_types, "application/x-image"}


def test_the_declared_application_exists_in_the_artifact():
    module, _, attribute = serving_interface.ENVIRONMENT["SM_RAYSERVE_APP"].partition(":")
    assert module in SERVING_MODULES
    tree = ast.parse((CONTAINER / f"{module}.py").read_text())
    assigned = {name.id for node in tree.body if isinstance(node, ast.Assign) for name in node.targets}
    assert attribute in assigned


def test_a_job_sets_every_hyperparameter_that_is_not_tuned(manifest):
    fixed = job_inputs.hyperparameters(settings.load("dev"), 3, manifest)
    declared = {name.replace("_", "-") for name in Hyperparameters.__dataclass_fields__}
    assert set(fixed) | set(TUNABLE) | {"task"} == declared
    flags = [word for name, value in fixed.items() for word in (f"--{name}", value)]
    parsed = parse_hyperparameters(flags)
    assert parsed.epochs == 3
    assert parsed.counts == {"train": 10, "valid": 10, "test": 10}


def test_settings_offer_the_architectures_of_the_container():
    assert architecture_facts.names() == architectures.names()


def test_settings_know_the_image_sizes_of_the_container():
    for name in architectures.names():
        known = architectures.resolve(name)
        sizes = architecture_facts.image_sizes(name)
        assert sizes == (known.minimum_size, known.size_multiple), name


def test_the_recipe_has_the_ranges_and_choices_of_the_container():
    declared = Hyperparameters.__dataclass_fields__
    for name, setting in RecipeSettings.model_fields.items():
        known = declared[name]
        assert setting.default == known.default, name
        limits = tuple(
            getattr(c, kind) for c in setting.metadata for kind in ("ge", "le") if hasattr(c, kind)
        )
        assert limits == known.metadata.get("range", ()), name
        assert get_args(setting.annotation) == known.metadata.get("choices", ()), name


def test_tunable_values_are_those_that_the_container_accepts():
    assert set(TUNABLE) <= {name.replace("_", "-") for name in Hyperparameters.__dataclass_fields__}
    for name, tunable in TUNABLE.items():
        known = Hyperparameters.__dataclass_fields__[name.replace("-", "_")]
        kinds = {"int": "integer", "float": "real", "str": "choice"}
        assert tunable.kind == kinds[known.type], name
        assert tunable.choices == known.metadata.get("choices", ()), name
        if tunable.kind != "choice":
            assert tunable.limits == known.metadata["range"], name


def test_hyperparameters_without_a_setting_have_the_defaults_of_the_container():
    for name, value in job_inputs.UNTUNED.items():
        assert value == str(getattr(Hyperparameters(), name.replace("-", "_"))), name


def test_both_warn_of_the_same_imbalance():
    assert training.MAX_IMBALANCE == run_setup.MAX_IMBALANCE


def test_settings_offer_the_modes_and_heads_of_the_container():
    assert (get_args(Mode), get_args(ModelSettings.model_fields["head"].annotation)) == (MODES, HEADS)


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
