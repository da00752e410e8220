"""Instance types with local storage."""

from __future__ import annotations

import pytest

from embedded_aws.services.sagemaker import storage


@pytest.mark.parametrize(
    ("types", "local"),
    [
        (
            (
                "ml.g4dn.xlarge",
                "ml.g5.xlarge",
                "ml.m5d.large",
                "ml.c5d.xlarge",
                "ml.m5dn.large",
                "ml.p4de.24xlarge",
            ),
            True,
        ),
        (("ml.m5.large", "ml.c5n.xlarge", "ml.p3.2xlarge", "ml.m6g.large", "ml.t3.medium"), False),
    ],
)
def test_types_with_local_storage_are_known(types: tuple[str, ...], local: bool) -> None:
    assert {kind: storage.has_local_storage(kind) for kind in types} == dict.fromkeys(types, local)
