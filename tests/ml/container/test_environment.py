"""The training container's folders, channels and hosts."""

import pytest

from environment import TrainingEnvironment
from errors import InputError


def test_read_parses_the_toolkit_s_variables(tmp_path):
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


def test_checkpoint_dir_is_none_without_a_checkpoint_location(tmp_path):
    assert TrainingEnvironment.read({"SAGEMAKER_BASE_DIR": str(tmp_path)}).checkpoint_dir is None


def test_trials_of_a_search_keep_their_checkpoints_apart(tmp_path):
    """They share one location in S3, of which SageMaker may download everything to each."""
    (tmp_path / "checkpoints").mkdir()
    variables = {"SAGEMAKER_BASE_DIR": str(tmp_path), "CHECKPOINTS_BY_JOB": "true"}
    for trial in ("search-001", "search-002", "search-001"):
        found = TrainingEnvironment.read({**variables, "TRAINING_JOB_NAME": trial}).checkpoint_dir
        assert found == tmp_path / "checkpoints" / trial and found.is_dir()


def test_weights_returns_the_file_of_the_architecture(tmp_path):
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
