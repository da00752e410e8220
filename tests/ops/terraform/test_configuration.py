"""The folder that Terraform runs in follows the root, and keeps what a run leaves away from the repository."""

from __future__ import annotations

import pytest

from ops.terraform.configuration import Configuration


@pytest.fixture
def configuration(tmp_path) -> Configuration:
    """The configuration of a root with one file, one module and one policy."""
    for name in ("terraform/foundation/main.tf", "terraform/modules/key/main.tf", "policies/role.json"):
        file = tmp_path / "repository" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return Configuration(tmp_path / "repository" / "terraform" / "foundation", tmp_path / "work")


def names(configuration: Configuration) -> set[str]:
    return {entry.name for entry in configuration.folder.iterdir()}


def test_the_root_its_modules_and_policies_are_found_by_their_relative_paths(configuration):
    with configuration.prepared() as folder:
        assert (folder / "main.tf").read_text() == "terraform/foundation/main.tf"
        assert (folder / "../modules/key/main.tf").read_text() == "terraform/modules/key/main.tf"
        policy = (folder.parent.parent / "policies" / "role.json").read_text()
    assert policy == "policies/role.json"


def test_the_folder_follows_the_root(configuration):
    with configuration.prepared():
        pass
    (configuration.root / "main.tf").unlink()
    (configuration.root / "other.tf").write_text("other")
    with configuration.prepared():
        assert names(configuration) == {"other.tf"}


def test_generated_files_exist_for_one_run_only(configuration):
    with configuration.prepared({"adopted.tf.json": "{}"}):
        assert (configuration.folder / "adopted.tf.json").read_text() == "{}"
    assert names(configuration) == {"main.tf"}
    assert [entry.name for entry in configuration.root.iterdir()] == ["main.tf"]


def test_files_that_a_killed_run_generated_are_removed(configuration):
    with configuration.prepared():
        (configuration.folder / "adopted.tf.json").write_text("{}")
        (configuration.folder / "left").mkdir()
    with configuration.prepared():
        assert names(configuration) == {"main.tf"}


def test_a_generated_file_does_not_write_through_a_link(configuration):
    with configuration.prepared({"main.tf": "generated"}):
        assert (configuration.folder / "main.tf").read_text() == "generated"
    assert (configuration.root / "main.tf").read_text() == "terraform/foundation/main.tf"


def test_an_errored_state_stays_and_is_not_linked(configuration):
    (configuration.root / "errored.tfstate").write_text("of another program")
    with configuration.prepared():
        assert not configuration.errored_state.exists()
        configuration.errored_state.write_text("{}")
    with configuration.prepared():
        assert configuration.errored_state.read_text() == "{}"


def test_real_files_of_an_earlier_version_are_replaced(configuration):
    modules = configuration.folder.parent / "modules"
    modules.mkdir(parents=True)
    (modules / "old.tf").write_text("old")
    with configuration.prepared():
        assert not (modules / "old.tf").exists()
        assert (modules / "key" / "main.tf").exists()
