"""A failed first deployment leaves nothing that bills; a failed update, and an interruption, leave everything."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError

from ops import live_endpoint
from ops.errors import OperatorError, Unfinished
from ops.live_endpoint import LiveEndpoint
from ops.terraform.stack import Change, Plan
from pipeline import take_back

NAME = "image-classifier-dev"
CREATED = (
    "module.endpoint.aws_sagemaker_endpoint.this",
    "module.inference_function[0].aws_lambda_function.this",
    "module.inference_function[0].aws_lambda_provisioned_concurrency_config.version[0]",
    "module.endpoint.aws_cloudwatch_log_group.this",
)


class Stack:
    """Stack serving: what it has created, and the plans that were applied."""

    def __init__(self):
        self.variables = {"endpoint_name": NAME}
        self.created, self.applied = CREATED, []
        self.error: Exception | None = None

    def progress(self, text: str, important: bool = False) -> None:
        """Show nothing."""

    def plan(self, *, destroy: bool, targets=()) -> Plan:
        assert destroy
        return Plan(None, tuple(Change(a, ("delete",)) for a in targets or self.created))

    def apply(self, plan: Plan) -> None:
        if self.error:
            raise self.error
        self.applied.append([change.address for change in plan.changes])


@pytest.fixture
def stack(monkeypatch) -> Stack:
    monkeypatch.setattr(live_endpoint, "find", lambda env, name: None)
    return Stack()


def failure(env, stack, error: BaseException, live: LiveEndpoint | None = None) -> str:
    with pytest.raises(type(error)) as caught, take_back.if_first(env, stack, live):
        raise error
    return str(caught.value)


def test_a_failed_first_deployment_leaves_its_log_groups_only(account, dev, stack):
    assert failure(dev, stack, OperatorError("It failed")) == (
        "It failed. Taken back: the endpoint, the function and its provisioned concurrency of image-classifier-dev (3 "
        "resources in all) are removed again; the containers' logs stay in "
        "/aws/sagemaker/Endpoints/image-classifier-dev."
    )
    assert stack.applied == [list(CREATED[:3])]


def test_a_successful_first_deployment_stays(account, dev, stack):
    with take_back.if_first(dev, stack, None):
        pass
    assert stack.applied == []


def test_a_failed_update_leaves_what_serves(account, dev, stack, serving):
    account.publish(f"serving/{NAME}", serving.model_dump())
    assert failure(dev, stack, OperatorError("It failed.")) == "It failed."
    account.publish(f"serving/{NAME}", {"of": "another version"})
    assert failure(dev, stack, OperatorError("It failed.")) == "It failed."
    assert stack.applied == []


def test_an_endpoint_whose_outputs_are_lost_is_not_taken_back(account, dev, stack):
    """SageMaker has rolled the failed update back: the version before still serves."""
    serving = LiveEndpoint(NAME, "InService")
    assert failure(dev, stack, OperatorError("It failed."), serving) == "It failed."
    account.publish(f"served_models/{NAME}", {"served": [{"package": "arn/1", "at": "2026-01-01T00:00:00Z"}]})
    assert failure(dev, stack, OperatorError("It failed.")) == "It failed."
    account.publish(f"served_models/{NAME}", {"served": []})
    assert "Taken back" in failure(dev, stack, OperatorError("It failed."))


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(130), Unfinished("SIGKILL ended Terraform: run the command again.")],
)
def test_an_interruption_is_resumed_and_not_undone(account, dev, stack, error):
    failure(dev, stack, error)
    assert stack.applied == []


def test_a_plan_that_failed_has_created_nothing(account, dev, stack):
    stack.created = ()
    assert failure(dev, stack, OperatorError("It failed.")) == "It failed."


def test_without_aws_the_command_that_removes_the_remains_is_named(account, dev, stack, monkeypatch):
    def unreachable(env, name):
        raise EndpointConnectionError(endpoint_url="https://api.sagemaker")

    monkeypatch.setattr(live_endpoint, "find", unreachable)
    message = failure(dev, stack, OperatorError("It failed."))
    assert message.startswith(
        "It failed. What it has created is still there (Could not connect to the endpoint"
    )
    assert "./inv destroy --stack serving --env dev removes it, and the same command resumes." in message


def test_a_removal_that_fails_says_so(account, dev, stack):
    stack.error = OperatorError("AccessDenied.")
    stack.variables = {"endpoint_name": f"{NAME}-multi"}
    message = failure(dev, stack, OperatorError("It failed."))
    assert "still there (AccessDenied.): ./inv destroy --stack serving --env dev --endpoint multi" in message
