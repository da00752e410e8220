"""Requirements of a model."""

import pytest

from embedded_aws.services.sagemaker.hosting import artifacts
from embedded_aws.services.sagemaker.hosting.exceptions import DeploymentFailed


@pytest.mark.parametrize(
    "text", ["", "# nothing\n--no-index\n", "pytest>=1  # here\n", "absent; python_version < '3'"]
)
def test_installed_requirements_pass(tmp_path, text):
    (tmp_path / "requirements.txt").write_text(text)
    artifacts._check_requirements(tmp_path / "requirements.txt")


@pytest.mark.parametrize("text", ["pytest<1", "no-such-package", "git+https://example.com/x"])
def test_missing_requirement_fails_the_deployment(tmp_path, text):
    (tmp_path / "requirements.txt").write_text(text)
    with pytest.raises(DeploymentFailed, match=r"requirements.txt requires"):
        artifacts._check_requirements(tmp_path / "requirements.txt")
