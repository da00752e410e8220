"""The command line of the training program."""

import pytest

from errors import InputError
from hyperparameters import Hyperparameters, parse_hyperparameters


def test_every_hyperparameter_is_a_flag():
    parsed = parse_hyperparameters(
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
            "--expected-images",
            "train=24,valid=4",
            "--mode",
            "linear-probe",
        ]
    )
    changed = {
        name: value for name, value in parsed.as_dict().items() if value != getattr(Hyperparameters(), name)
    }
    assert changed == {
        "architecture": "resnet18",
        "image_size": 224,
        "epochs": 3,
        "batch_size": 128,
        "learning_rate": 1e-05,
        "optimizer": "sgd",
        "weight_decay": 0.0,
        "seed": 7,
        "expected_images": "train=24,valid=4",
        "mode": "linear-probe",
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
        ("--mode guess", "guess"),
        ("--epoch 3", "--epoch"),
    ],
)
def test_an_invalid_flag_is_named(flags, message):
    with pytest.raises(InputError, match=message):
        parse_hyperparameters(flags.split())


def test_the_constructor_refuses_a_value_out_of_range():
    with pytest.raises(InputError, match="--image-size is 4; it must be between 8 and 1024"):
        Hyperparameters(image_size=4)
