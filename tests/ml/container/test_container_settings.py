"""The command line and the SM_ variables of a training job."""

import pytest

from environment import TrainingEnvironment
from errors import InputError
from settings import parse_hyperparameters

ARCHITECTURES = ("small_cnn", "resnet18")


def test_the_command_line_surface():
    settings = parse_hyperparameters(
        [
            "--architecture",
            "resnet18",
            "--image-size",
            "224",
            "--epochs",
            "3",
            "--batch-size",
            "128",
            "--learning-rate",
            "1e-05",
            "--optimizer",
            "sgd",
            "--weight-decay",
            "0.0",
            "--seed",
            "7",
            "--pretrained",
            "True",
        ],
        ARCHITECTURES,
    )
    assert settings.as_dict() == {
        "architecture": "resnet18",
        "image_size": 224,
        "epochs": 3,
        "batch_size": 128,
        "learning_rate": 1e-05,
        "optimizer": "sgd",
        "weight_decay": 0.0,
        "seed": 7,
        "pretrained": True,
    }


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--architecture vgg16", "vgg16"),
        ("--optimizer lion", "lion"),
        ("--epochs 0", "--epochs is 0; it must be between 1"),
        ("--epochs many", "many"),
        ("--learning-rate nan", "--learning-rate is nan"),
        ("--learning-rate -1", "--learning-rate is -1"),
        ("--pretrained maybe", "'maybe' is neither true nor false"),
        ("--epoch 3", "--epoch"),
    ],
)
def test_a_bad_flag_is_named(flags, message):
    with pytest.raises(InputError, match=message):
        parse_hyperparameters(flags.split(), ARCHITECTURES)


def test_reads_the_toolkit_s_variables(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    environment = TrainingEnvironment.read(
        {
            "SAGEMAKER_BASE_DIR": str(tmp_path),
            "SM_HOSTS": '["algo-1","algo-2"]',
            "SM_CURRENT_HOST": "algo-2",
            "SM_CHANNEL_TRAIN": str(tmp_path),
        }
    )
    assert environment.hosts == ("algo-1", "algo-2")
    assert environment.current_host == "algo-2"
    assert environment.channel("train") == tmp_path
    assert environment.model_dir == tmp_path / "model"
    assert environment.output_data_dir == tmp_path / "output" / "data"
    assert environment.checkpoint_dir == tmp_path / "checkpoints"
    with pytest.raises(InputError, match=r"no channel 'valid' \(it has: train\)"):
        environment.channel("valid")


def test_without_a_checkpoint_location_there_is_no_folder(tmp_path):
    assert TrainingEnvironment.read({"SAGEMAKER_BASE_DIR": str(tmp_path)}).checkpoint_dir is None


def test_finds_the_weights_of_the_architecture(tmp_path):
    environment = TrainingEnvironment.read({"SM_CHANNEL_WEIGHTS": str(tmp_path)})
    with pytest.raises(InputError, match="has 0 state_dict files"):
        environment.weights("resnet18")
    for name in ("resnet18-f37072fd.pth", "resnet50-11ad3fa6.pth"):
        (tmp_path / name).touch()
    assert environment.weights("resnet18").name == "resnet18-f37072fd.pth"
    with pytest.raises(InputError, match="has 2 state_dict files for mobilenet_v3_small"):
        environment.weights("mobilenet_v3_small")
    with pytest.raises(InputError, match="needs a channel 'weights'"):
        TrainingEnvironment.read({}).weights("resnet18")
