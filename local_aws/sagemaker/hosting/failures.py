"""Why a deployment does not come up, in the words of DescribeEndpoint's FailureReason."""


class DeploymentFailed(Exception):
    """The message is the endpoint's FailureReason."""
