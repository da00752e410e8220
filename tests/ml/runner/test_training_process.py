"""The folders and environment variables of the training process."""

from __future__ import annotations

from ml.runner.directories import TrainingDirectories
from ml.runner.training_process import training_environment


def test_the_directories_match_sagemaker_s_container(tmp_path):
    directories = TrainingDirectories(tmp_path)
    directories.create(["train", "valid"])
    variables = directories.variables()
    assert variables["SM_CHANNEL_TRAIN"] == str(tmp_path / "input" / "data" / "train")
    assert variables["SM_MODEL_DIR"] == str(tmp_path / "model")
    assert (tmp_path / "checkpoints").is_dir()  # its existence makes the program write checkpoints
    assert "SM_HOSTS" not in variables  # the program's default is one host


def test_create_deletes_the_results_of_a_previous_attempt_but_not_its_checkpoints(tmp_path):
    directories = TrainingDirectories(tmp_path)
    directories.create(["train"])
    (directories.model / "model.json").touch()
    (directories.checkpoints / "checkpoint.pt").touch()
    directories.create(["train"])
    assert list(directories.model.iterdir()) == []
    assert (directories.checkpoints / "checkpoint.pt").exists()


def test_the_process_gets_no_credentials_and_no_foreign_sagemaker_variables(tmp_path):
    theirs = (
        "AWS_SECRET_ACCESS_KEY",
        "SM_HOSTS",
        "SAGEMAKER_PROGRAM",
        "RANK",
        "WORLD_SIZE",
        "MASTER_ADDR",
        "TORCHELASTIC_RUN_ID",
        "PYTHONPATH",
        "LD_PRELOAD",
        "HTTPS_PROXY",
    )
    inherited = {**dict.fromkeys(theirs, "theirs"), "PATH": "/bin", "CUDA_VISIBLE_DEVICES": "1"}
    variables = training_environment(TrainingDirectories(tmp_path), inherited)
    assert "theirs" not in variables.values()
    assert (variables["PATH"], variables["CUDA_VISIBLE_DEVICES"]) == ("/bin", "1")
    assert variables["SM_MODEL_DIR"] == str(tmp_path / "model")


def test_openmp_threads_wait_passively_unless_the_caller_chooses(tmp_path):
    directories = TrainingDirectories(tmp_path)
    assert training_environment(directories, {})["OMP_WAIT_POLICY"] == "PASSIVE"
    chosen = {"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": "3"}
    variables = training_environment(directories, chosen)
    assert {name: variables[name] for name in chosen} == chosen
