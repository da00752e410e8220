"""Terraform is found, and refused if it is missing, too old or broken."""

from __future__ import annotations

import pytest

from ops.errors import OperatorError
from ops.terraform import binary


def test_a_missing_terraform_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperatorError, match=r"^Terraform is not installed: install Terraform 1\.11"):
        binary.find()


@pytest.mark.parametrize("version", ["1.10.5", "0.15.0", "1.9.12-rc1"])
def test_an_old_terraform_is_refused(fake_terraform, version):
    fake_terraform.does("version", {"lines": [f'{{"terraform_version": "{version}"}}']})
    with pytest.raises(OperatorError, match=rf"is Terraform {version}, too old .* install Terraform 1\.11"):
        binary.find()


@pytest.mark.parametrize("version", ["1.11.0", "1.15.2", "2.0.0-beta1"])
def test_a_supported_terraform_is_returned(fake_terraform, version):
    fake_terraform.does("version", {"lines": [f'{{"terraform_version": "{version}"}}']})
    assert binary.find() == str(fake_terraform.program)


@pytest.mark.parametrize("step", [{"rc": 1}, {"lines": ["no version"]}, {"lines": ["{}"]}])
def test_a_broken_terraform_is_reported(fake_terraform, step):
    fake_terraform.does("version", step)
    with pytest.raises(OperatorError, match="does not report its version"):
        binary.find()


def test_the_version_is_read_once(fake_terraform):
    binary.find()
    binary.find()
    assert len(fake_terraform.calls("version")) == 1
