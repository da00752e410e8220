"""What the server and its child processes get of the shell's variables."""

from __future__ import annotations

import pytest

from embedded_aws import child_environment

BUILDERS = (
    child_environment.of_server,
    child_environment.of_container,
    child_environment.of_host,
    child_environment.of_program,
)
CHANGE_MEANING = (
    *(
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL",
        "AWS_DATA_PATH",
        "BOTO_CONFIG",
        "AWS_CA_BUNDLE",
    ),
    *(
        "MOTO_ACCOUNT_ID",
        "MOTO_IAM_LOAD_MANAGED_POLICIES",
        "TF_CLI_ARGS",
        "PYTHONPATH",
        "PYTHONHOME",
        "LD_PRELOAD",
    ),
    *(
        "SM_HOSTS",
        "SAGEMAKER_PROGRAM",
        "RANK",
        "WORLD_SIZE",
        "MASTER_ADDR",
        "TORCHELASTIC_RUN_ID",
        "OMP_NUM_THREADS",
    ),
    *(
        "PIP_TARGET",
        "PIP_PREFIX",
        "VIRTUAL_ENV",
        "GIT_DIR",
        "EMBEDDED_AWS_RUN",
        "JSII_DEBUG",
        "MALLOC_PERTURB_",
    ),
)


@pytest.mark.parametrize("build", BUILDERS)
def test_what_changes_a_program_does_not_pass(build, monkeypatch):
    for name in CHANGE_MEANING:
        monkeypatch.setenv(name, "theirs")
    assert "theirs" not in build().values()


def test_what_reaches_the_network_passes_except_to_isolated_containers(monkeypatch):
    for name in ("HTTPS_PROXY", "http_proxy", "PIP_INDEX_URL", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "ours")
    for build in BUILDERS[:3]:
        assert list(build().values()).count("ours") == 4
    container = {**child_environment.of_container(), "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1"}
    isolated = child_environment.without_network(container)
    assert "ours" not in isolated.values() and "AWS_SECRET_ACCESS_KEY" not in isolated
    assert isolated["AWS_REGION"] == "us-east-1" and isolated["PATH"] == container["PATH"]


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "a.example, localhost"}, "a.example,localhost,127.0.0.1,::1"),
        ({"no_proxy": "b.example", "NO_PROXY": "a.example"}, "b.example,127.0.0.1,localhost,::1"),
    ],
)
def test_the_addresses_of_this_machine_are_reached_without_a_proxy(shell, expected, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    for build in BUILDERS[:3]:
        variables = build()
        assert variables["NO_PROXY"] == variables["no_proxy"] == expected


@pytest.mark.parametrize("build", BUILDERS[:2])
def test_no_file_of_the_user_s_aws_configuration_is_read(build):
    variables = build()
    assert variables["AWS_CONFIG_FILE"] == variables["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
