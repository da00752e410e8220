"""environments/*.toml load; every invalid setting is refused with its name, its value and valid values."""

from pathlib import Path

import pytest

from ops import settings
from ops.errors import OperatorError

GOOD = """
region = "eu-west-1"
[tuning]
max_jobs = 4
[tuning.continuous]
learning-rate = { min = 0.001, max = 0.1 }
"""
GRID = '[tuning]\nstrategy = "Grid"\nmax_jobs = {jobs}\n[tuning.categorical]\noptimizer = ["adamw", "sgd"]\n'


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads environment `trial` from a text."""
    monkeypatch.setattr(settings, "FOLDER", tmp_path)

    def from_text(text: str, name: str = "trial") -> settings.Settings:
        (tmp_path / f"{name}.toml").write_text(text)
        return settings.load(name)

    return from_text


@pytest.mark.parametrize("name", settings.names())
def test_every_environment_of_the_repository_loads(name):
    loaded = settings.load(name)
    assert loaded.environment == name
    assert loaded.embedded_aws == (name == "local")


def test_the_environment_is_the_argument_or_invoke_env_or_local(monkeypatch):
    monkeypatch.setenv("INVOKE_ENV", "prod")
    assert settings.load("dev").environment == "dev"
    assert settings.load().environment == "prod"
    monkeypatch.delenv("INVOKE_ENV")
    assert settings.load().environment == "local"


def test_production_keeps_its_bucket_on_destroy():
    assert not settings.load("prod").storage.force_destroy


@pytest.mark.parametrize("name", ["nowhere", "../environments/dev", ""])
def test_an_unknown_environment_is_refused(name, monkeypatch):
    monkeypatch.setenv("INVOKE_ENV", "nowhere")
    with pytest.raises(OperatorError, match=r"Unknown environment .*choose one of dev, local, prod"):
        settings.load(name)


def test_defaults_and_prefix(load):
    loaded = load(GOOD)
    assert loaded.prefix == "image-classifier-trial"
    assert loaded.serving.autoscaling.max_capacity == 3


def test_the_file_name_overrides_the_environment_in_the_file(load):
    assert load('environment = "other"\n' + GOOD).environment == "trial"


def test_a_grid_search_with_one_job_per_combination_is_accepted(load):
    assert load('region = "eu-west-1"\n' + GRID.format(jobs=2)).tuning.strategy == "Grid"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("region = 3\n[", ["is not valid TOML"]),
        (GOOD.replace('"eu-west-1"', '"Europe"'), ["region", "Europe"]),
        (GOOD.replace('region = "eu-west-1"', ""), ["region: Field required"]),
        ('region = "eu-west-1"', ["tuning: Field required"]),
        (
            'region = "eu-west-1"\n[tuning]\nmax_jobs = 2',
            ["at least one range", "continuous, integer or categorical"],
        ),
        (GOOD + '[model]\narchitecture = "alexnet"', ["model.architecture", "'alexnet'", "resnet50"]),
        (GOOD + "[model]\nimage_size = 8", ["model.image_size", "8", "16"]),
        (
            GOOD + '[model]\narchitecture = "small_cnn"\nmode = "linear-probe"',
            ["model: small_cnn", "pretrained"],
        ),
        (
            GOOD + '[model]\narchitecture = "vit_h_14"\nmode = "fine-tuning"\nimage_size = 252',
            ["model: vit_h_14", "no pretrained weights that may be used commercially", "weights_sha256"],
        ),
        (
            GOOD + '[model]\narchitecture = "timm/resnet10t"\nmode = "fine-tuning"',
            ["model: timm/resnet10t", "no pretrained weights", "weights_sha256 to a file of yours"],
        ),
        (
            GOOD + '[model]\narchitecture = "vit_b_16"\nimage_size = 100',
            ["image_size is 100", "at least 16 and a multiple of 16 for vit_b_16"],
        ),
        (GOOD + '[model]\nmode = "fine-tuning"\nweights = "mine.bin"', ["model.weights", "safetensors"]),
        (
            GOOD + '[model]\nmode = "fine-tuning"\nweights = "mine.pth"',
            ["both weights and weights_sha256", "sha256sum"],
        ),
        (
            GOOD + f'[model]\nweights = "mine.pth"\nweights_sha256 = "{64 * "0"}"',
            ["weights are not used", "from-scratch"],
        ),
        (GOOD + "[training]\nepoch = 3", ["training.epoch", "unknown setting", "epochs", "3"]),
        ("color = 1\n" + GOOD, ["color", "unknown setting", "region"]),
        (
            GOOD.replace("max = 0.1", "max = 0.1, step = 1"),
            ["learning-rate.step", "unknown setting", "scaling"],
        ),
        (GOOD + '[training]\ninstance_type = "m5.large"', ["training.instance_type", "'m5.large'"]),
        (GOOD + "[training]\nminimum_accuracy = 90", ["training.minimum_accuracy", "90", "1"]),
        ("log_retention_days = 8\n" + GOOD, ["log_retention_days", "8", "7, 14"]),
        (
            GOOD + '[serving]\ninstance_type = "ml.t2.medium"',
            ["serving", "ml.t2.medium cannot scale", "ml.m5.large", "autoscaling.enabled = false"],
        ),
        (
            GOOD + "[serving.autoscaling]\nmin_capacity = 5",
            ["serving.autoscaling", "min_capacity 5 exceeds max_capacity 3"],
        ),
        (GOOD.replace("max = 0.1", "max = 0.0001"), ["learning-rate", "min 0.001 is not below max 0.0001"]),
        (
            GOOD.replace("min = 0.001, max = 0.1", 'min = 0, max = 1, scaling = "Logarithmic"'),
            ["Logarithmic", "above 0"],
        ),
        (
            GOOD.replace("min = 0.001, max = 0.1", 'min = 0.5, max = 1, scaling = "ReverseLogarithmic"'),
            ["ReverseLogarithmic", "below 1", "0.5 to 1"],
        ),
        (
            GOOD + '[tuning.integer]\nbatch-size = { min = 8, max = 64, scaling = "ReverseLogarithmic" }',
            ["ReverseLogarithmic", "8 to 64"],
        ),
        (
            GOOD.replace("max_jobs = 4", "max_jobs = 4\nmax_runtime_seconds = 100"),
            ["tuning.max_runtime_seconds", "120"],
        ),
        (GOOD + "[function]\ntimeout_seconds = 900", ["function.timeout_seconds", "120"]),
        (GOOD.replace("learning-rate", "dropout"), ["dropout", "learning-rate, optimizer, weight-decay"]),
        (GOOD.replace("learning-rate", "batch-size"), ["batch-size", "cannot be continuous"]),
        (GOOD + "[tuning.integer]\noptimizer = { min = 1, max = 2 }", ["optimizer is categorical"]),
        (GOOD + "[tuning.categorical]\noptimizer = []", ["tuning.categorical.optimizer", "at least 1"]),
        (
            GOOD.replace("max_jobs = 4", "max_jobs = 4\nseed = 0"),
            ["tuning.seed", "greater than or equal to 1"],
        ),
        (GOOD + '[tuning.categorical]\nlearning-rate = ["1"]', ["learning-rate", "two ranges"]),
        (
            GOOD.replace("max_jobs = 4", "max_jobs = 4\nmax_parallel_jobs = 5"),
            ["max_parallel_jobs 5 exceeds max_jobs 4"],
        ),
        (
            GOOD.replace("max_jobs = 4", 'strategy = "Grid"'),
            ["tuning", "Grid strategy takes categorical ranges only"],
        ),
        ('region = "eu-west-1"\n' + GRID.format(jobs=3), ["max_jobs 3 must be 2"]),
        (
            GOOD.replace("max_jobs = 4", 'strategy = "Genetic"'),
            ["tuning.strategy", "'Genetic'", "'Bayesian'"],
        ),
        ('project = "a-project-of-long-name"\n' + GOOD, ["a-project-of-long-name-trial", "24 characters"]),
    ],
)
def test_an_invalid_setting_is_refused_by_name(load, text, message):
    with pytest.raises(OperatorError) as refused:
        load(text)
    message = str(refused.value)
    assert "trial.toml" in message
    assert "\n" not in message
    for part in message:
        assert part in message


def test_an_environment_name_with_a_hyphen_is_refused(load):
    with pytest.raises(OperatorError, match="environment"):
        load(GOOD, name="dev-2")


def test_all_invalid_settings_are_reported_at_once(load):
    with pytest.raises(OperatorError) as refused:
        load(GOOD.replace("max_jobs", "jobs") + "[model]\nimage_size = 1")
    assert "tuning.jobs" in str(refused.value)
    assert "model.image_size" in str(refused.value)


def test_settings_are_immutable():
    with pytest.raises(ValueError, match="frozen"):
        settings.load("local").region = "eu-west-1"


def test_settings_are_read_from_the_repository():
    assert Path(__file__).parents[3] / "environments" == settings.FOLDER


def test_the_flag_is_empty_for_the_default_environment(monkeypatch):
    dev, local = settings.load("dev"), settings.load("local")
    assert (dev.flag, local.flag) == (" --env dev", "")
    monkeypatch.setenv("INVOKE_ENV", "dev")
    assert (dev.flag, local.flag) == ("", " --env local")


@pytest.mark.parametrize("name", ["timm/vit_tiny_patch16_224.augreg_in21k", "regnet_y_128gf", "swin_v2_t"])
def test_an_architecture_is_accepted_by_name(load, name):
    assert load(GOOD + f'[model]\narchitecture = "{name}"\nimage_size = 256').model.architecture == name


def test_where_a_file_of_weights_is_does_not_decide_the_result(load):
    """Jobs are found again by the settings of the model; a colleague has the file at another place."""
    model = '[model]\nmode = "fine-tuning"\nweights = "{}"\nweights_sha256 = "{}"'
    first, second, other = (
        load(GOOD + model.format(path, digit * 64)).model.model_dump()
        for path, digit in [("a.pth", "0"), ("s3://bucket/b.pth", "0"), ("a.pth", "1")]
    )
    assert first == second != other
