"""The environment with its roles, once for all tests."""

from __future__ import annotations

import pytest

from tests.permissions.account import Account


@pytest.fixture(scope="session")
def account(embedded_aws) -> Account:
    """Return an environment with its roles."""
    return Account(embedded_aws)
