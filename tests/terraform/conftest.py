"""Stacks on the embedded AWS without the pipeline: Terraform's settings, and one provider process for all runs."""

import pytest

from ops import child_environment
from ops.terraform import providers, stack
from ops.terraform.shared_provider import SharedProvider

PROVIDERS = "registry.terraform.io/hashicorp/aws/*/*/terraform-provider-aws_v*"


@pytest.fixture(scope="module")
def stack_variables(tmp_path_factory):
    """Return a function that returns the environment variables for the stacks of a server.

    Starting a provider takes longer than most of Terraform's steps, so the stacks of a module share a provider process.
    They run one after the other, and each run configures the provider for its root.
    """
    running = []

    def variables(server) -> dict[str, str]:
        mirror = providers.find_mirror()
        found = sorted(mirror.glob(PROVIDERS)) if mirror else []
        if not found:
            return server.credentials
        environment = {**child_environment.build("terraform"), **server.credentials}
        running.append(SharedProvider(found[-1], environment))
        for name, value in running[-1].variables.items():
            patch.setitem(child_environment.FIXED["terraform"], name, value)
        return {**server.credentials, **running[-1].variables}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack, "WORK", tmp_path_factory.mktemp("terraform"))
        yield variables
    for provider in running:
        provider.stop()
