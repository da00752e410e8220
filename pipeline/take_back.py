"""Removes what a failed first deployment of an endpoint has created: it would cost money and serve nobody.

Log groups stay: they say why the containers failed, and the next deployment uses them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from ops import live_endpoint, served_models
from ops.environment import Environment
from ops.errors import OperatorError, Unfinished
from ops.live_endpoint import LiveEndpoint
from ops.outputs import MissingOutputs, OutdatedOutputs, endpoint_option
from ops.terraform.stack import Stack
from ops.text import sentence

LONGEST = 2000  # characters of a failure's message
KEPT = "aws_cloudwatch_log_group"
BILLED = {  # resource type in an address: its name in the message
    "aws_sagemaker_endpoint": "the endpoint",
    "aws_lambda_function": "the function",
    "aws_lambda_provisioned_concurrency_config": "its provisioned concurrency",
    "aws_cloudwatch_metric_alarm": "the alarms",
    "aws_cloudwatch_dashboard": "the dashboard",
}


@contextlib.contextmanager
def if_first(env: Environment, stack: Stack, live: LiveEndpoint | None) -> Iterator[None]:
    """Destroy what the block has created if it fails and the endpoint had never been deployed.

    A failed update is left as it is: the endpoint keeps serving. So is what was interrupted, as the same command resumes
    it.

    stack: serving, locked.
    live: the endpoint before the block. An endpoint that exists is never taken back, even if its outputs are lost.

    Raises:
        OperatorError: The block's, with what was taken back.
    """
    first = live is None and _is_first(env, str(stack.variables["endpoint_name"]))
    try:
        yield
    except OperatorError as error:
        if not first or isinstance(error, Unfinished):
            raise
        failed = sentence(str(error), LONGEST)
        raise OperatorError(f"{failed} {_take_back(env, stack)}".rstrip()) from error


def _is_first(env: Environment, endpoint: str) -> bool:
    try:
        return not env.outputs.serving(endpoint).endpoint_name
    except MissingOutputs:
        return not served_models.history(env, endpoint, None).packages
    except OutdatedOutputs:
        return False


def _take_back(env: Environment, stack: Stack) -> str:
    """Destroy the stack without its log groups. Returns a sentence about what was removed, or what remains."""
    endpoint = str(stack.variables["endpoint_name"])
    try:
        live_endpoint.find(env, endpoint)  # without AWS, Terraform would try for a long time
        stack.progress("removing what the failed deployment has created", important=True)
        planned = stack.plan(destroy=True)
        addresses = [change.address for change in planned.changes if KEPT not in change.address]
        if not addresses:
            return ""
        stack.apply(stack.plan(destroy=True, targets=addresses))
    except (OperatorError, ClientError, BotoCoreError) as error:
        options = env.settings.flag + endpoint_option(env.settings, endpoint)
        return (
            f"What it has created is still there ({error}): ./inv destroy --stack serving{options} removes it, and the "
            "same command resumes."
        )
    billed = [name for kind, name in BILLED.items() if any(f"{kind}." in address for address in addresses)]
    return (
        f"Taken back: {_listed(billed)} of {endpoint} ({len(addresses)} resources in all) are removed again; the containers' "
        f"logs stay in /aws/sagemaker/Endpoints/{endpoint}."
    )


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names) or "everything"
    return f"{', '.join(names[:-1])} and {names[-1]}"
