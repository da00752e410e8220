"""Stack access on the embedded AWS: apply, lose its state, adopt what exists, destroy."""

import pytest
from botocore.exceptions import ClientError

from ops.errors import OperatorError
from ops.terraform.stack import Stack
from tests.terraform.lost_state import adopting, check_adoption

pytestmark = pytest.mark.slow

BUCKET = "roles-test-state"
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"


@pytest.fixture
def access(_no_real_account, embedded_aws, stack_variables, monkeypatch):
    """Return a function that makes the stack of an environment."""
    for name, value in stack_variables(embedded_aws).items():
        monkeypatch.setenv(name, value)
    embedded_aws.client("s3").create_bucket(Bucket=BUCKET)

    def make(environment: str) -> Stack:
        github = {"repository": "example/roles", "environment": "prod", "create_identity_provider": True}
        return Stack(
            root="access",
            key=f"_access/{environment}.tfstate",
            state_bucket=BUCKET,
            region="us-east-1",
            variables={
                "project": "roles",
                "environment": environment,
                "region": "us-east-1",
                "github": github,
                "image_account_id": "763104351884",
            },
        )

    return make


def test_roles_that_are_not_in_the_state_are_adopted_and_those_of_another_environment_are_not(
    embedded_aws, access
):
    iam = embedded_aws.client("iam")
    access("test").up()
    check_adoption(embedded_aws, access("test"))
    with pytest.raises(
        OperatorError,
        match=r"exists and is not of this environment: its tags name Project roles, Environment test\. An account has one",
    ):
        adopting(access("other")).up()
    access("test").down()
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)
