"""The task that shows what each role may do, and which permissions were used: `./inv policies`."""

from __future__ import annotations

from invoke.context import Context

from cli import embedded
from cli.task import ENV, JSON, connect, operator_task
from ops import settings
from ops.console import emit


@operator_task(help={**ENV, **JSON, "role": "one policy only, such as operator, training or stacks-storage"})
def policies(c: Context, env: str | None = None, role: str | None = None, json: bool = False) -> None:
    """Show role by action by resource: used, unused or denied, from the access decisions of the embedded AWS."""
    from pipeline import policies

    decisions = embedded.decision_record(settings.load(env))
    emit(policies.show(connect(env), decisions, role), json)
