"""The provider comes from a mirror on this machine, one that TF_PLUGIN_DIR names, or the registry."""

from pathlib import Path

import pytest

from ops.errors import OperatorError
from ops.terraform import providers

pytestmark = pytest.mark.usefixtures("repository", "machine")


def unpacked(folder: Path, version: str = "9.9.9") -> Path:
    place = folder / "registry.terraform.io" / "hashicorp" / "aws" / version / providers._machine()
    place.mkdir(parents=True)
    return folder


def packed(folder: Path) -> Path:
    place = folder / "registry.terraform.io" / "hashicorp" / "aws"
    place.mkdir(parents=True)
    (place / f"terraform-provider-aws_9.9.9_{providers._machine()}.zip").touch()
    return folder


def test_without_a_mirror_downloads_are_shared(repository):
    config = providers.cli_config()
    assert providers.find_mirror() is None
    assert config.read_text() == f'plugin_cache_dir = "{repository}/.work/terraform/providers"\n'
    assert (repository / ".work/terraform/providers").is_dir()


@pytest.mark.parametrize("make", [unpacked, packed])
def test_a_mirror_in_the_home_folder_is_used(machine, make):
    mirror = make(machine / ".terraform.d" / "plugins")
    text = providers.cli_config().read_text()
    assert f'path    = "{mirror}"' in text
    assert 'include = ["hashicorp/aws"]' in text
    assert 'exclude = ["hashicorp/aws"]' in text  # other providers come from the registry


@pytest.mark.parametrize("variable", ["XDG_DATA_HOME", "XDG_DATA_DIRS"])
def test_a_mirror_in_a_data_folder_is_used(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, str(tmp_path / "data"))
    assert providers.find_mirror() is None
    mirror = unpacked(tmp_path / "data" / "terraform" / "plugins")
    assert providers.find_mirror() == mirror


def test_a_mirror_with_another_version_is_not_used(machine):
    unpacked(machine / ".terraform.d" / "plugins", "9.9.8")
    assert providers.find_mirror() is None


def test_tf_plugin_dir_takes_precedence(machine, tmp_path, monkeypatch):
    unpacked(machine / ".terraform.d" / "plugins")
    named = unpacked(tmp_path / "named")
    monkeypatch.setenv("TF_PLUGIN_DIR", str(named))
    assert providers.find_mirror() == named


def test_tf_plugin_dir_without_the_provider_is_refused(machine, tmp_path, monkeypatch):
    unpacked(machine / ".terraform.d" / "plugins")
    monkeypatch.setenv("TF_PLUGIN_DIR", str(tmp_path))
    with pytest.raises(OperatorError, match=rf"TF_PLUGIN_DIR is {tmp_path}, which has no .*9\.9\.9"):
        providers.cli_config()


def test_a_network_mirror_is_used(monkeypatch):
    monkeypatch.setenv("TF_PLUGIN_DIR", "https://mirror.example/providers")
    text = providers.cli_config().read_text()
    assert 'network_mirror {\n    url     = "https://mirror.example/providers/"' in text
    assert 'include = ["hashicorp/aws"]' in text


@pytest.mark.parametrize("file", [".terraformrc", "terraform.rc", "mine.tfrc"])
def test_the_user_s_configuration_is_not_used(machine, monkeypatch, file):
    (machine / file).write_text(
        'provider_installation {\n  dev_overrides {\n    "hashicorp/aws" = "/tmp"\n  }\n}\n'
    )
    if file == "mine.tfrc":
        monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(machine / file))
    assert "dev_overrides" not in providers.cli_config().read_text()


def test_a_lock_file_without_a_version_is_refused(repository):
    (repository / "terraform/foundation/.terraform.lock.hcl").write_text("# nothing\n")
    with pytest.raises(OperatorError, match="has no provider version"):
        providers.find_mirror()


@pytest.mark.parametrize(
    ("message", "unreachable"),
    [
        ("Failed to query available provider packages: timeout", True),
        ("Failed to install provider: connection reset", True),
        ("creating S3 Bucket: AccessDenied", False),
    ],
)
def test_is_unreachable_recognizes_download_errors(message, unreachable):
    assert providers.is_unreachable(message) == unreachable
