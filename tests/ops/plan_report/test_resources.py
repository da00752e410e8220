"""Changes of a plan, read from what Terraform shows."""

import pytest

from ops.plan_report import resources


@pytest.mark.parametrize(
    ("actions", "importing", "kind"),
    [
        (["no-op"], False, None),
        (["no-op"], True, "import"),
        (["update"], True, "update"),
        (["delete", "create"], True, "replace"),
        (["create"], False, "create"),
    ],
)
def test_a_resource_that_is_only_imported_is_listed(actions, importing, kind):
    change = {
        "actions": actions,
        "before": {},
        "after": {},
        **({"importing": {"id": "x"}} if importing else {}),
    }
    item = {"address": "aws_kms_key.this", "mode": "managed", "type": "aws_kms_key", "change": change}
    found = resources.changes({"resource_changes": [item]})
    assert [change.kind for change in found] == ([kind] if kind else [])
