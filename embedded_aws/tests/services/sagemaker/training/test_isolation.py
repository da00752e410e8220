"""Network isolation."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.sagemaker.training import isolation


def test_missing_support_for_namespaces_is_reported(tmp_path: Path, monkeypatch) -> None:
    refusing = "import sys; sys.exit('PermissionError: [Errno 1] Operation not permitted')"
    monkeypatch.setattr(isolation, "SCRIPT", [sys.executable, "-c", refusing])
    supervisor = Supervisor()
    refused = pytest.raises(isolation.NotSupported, match="Operation not permitted")
    with refused, isolation.namespace(supervisor, tmp_path):
        raise AssertionError("there is no namespace")
    assert supervisor.count() == 0
