"""No role may use SageMaker resources of others."""

from __future__ import annotations

import pytest

from tests.permissions.account import ACCOUNT, REFUSED, REGION, ROLES, Act, attempt, data_job, job

pytestmark = pytest.mark.slow

FORBIDDEN: dict[str, Act] = {
    "invoke another endpoint": (
        "sagemaker-runtime",
        "invoke_endpoint",
        lambda a: {"EndpointName": a.other, "Body": b""},
    ),
    "delete another endpoint": ("sagemaker", "delete_endpoint", lambda a: {"EndpointName": a.other}),
    "run a job with another name": (
        "sagemaker",
        "create_training_job",
        lambda a: job(a.other, a.role("training")),
    ),
    "run a job with another role": (
        "sagemaker",
        "create_training_job",
        lambda a: job(f"{a.prefix}-x", a.role("operator")),
    ),
    "run a processing job with another name": (
        "sagemaker",
        "create_processing_job",
        lambda a: data_job(f"{a.other}-data-x", a.role("processing")),
    ),
    "stop a foreign processing job": (
        "sagemaker",
        "stop_processing_job",
        lambda a: {"ProcessingJobName": f"{a.other}-data-x"},
    ),
    "open a foreign notebook instance": (
        "sagemaker",
        "create_presigned_notebook_instance_url",
        lambda a: {"NotebookInstanceName": f"{a.other}-workbench"},
    ),
    "open a foreign Studio domain": (
        "sagemaker",
        "create_presigned_domain_url",
        lambda a: {"DomainId": a.other_domain, "UserProfileName": f"{a.other}-workbench"},
    ),
    "delete a foreign Studio domain": ("sagemaker", "delete_domain", lambda a: {"DomainId": a.other_domain}),
    "tag a foreign Studio domain as own": (
        "sagemaker",
        "add_tags",
        lambda a: {
            "ResourceArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:domain/{a.other_domain}",
            "Tags": [{"Key": "Project", "Value": a.project}],
        },
    ),
    "start a notebook instance with the training role": (
        "sagemaker",
        "create_notebook_instance",
        lambda a: {
            "NotebookInstanceName": f"{a.prefix}-workbench",
            "InstanceType": "ml.t3.medium",
            "RoleArn": a.role("training"),
        },
    ),
    "start an application in a foreign Studio domain": (
        "sagemaker",
        "create_app",
        lambda a: {
            "DomainId": a.other_domain,
            "SpaceName": f"{a.other}-workbench",
            "AppType": "JupyterLab",
            "AppName": "default",
        },
    ),
    "register a model in a foreign group": (
        "sagemaker",
        "create_model_package",
        lambda a: {"ModelPackageGroupName": a.other},
    ),
}


@pytest.mark.parametrize("act", FORBIDDEN)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_not(account, role, act):
    assert attempt(account, role, FORBIDDEN[act]) == REFUSED.get(FORBIDDEN[act][0], "AccessDeniedException")


@pytest.mark.parametrize("role", ROLES)
def test_only_the_operator_may_approve_a_model(account, role):
    package = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{account.prefix}/1"
    act: Act = (
        "sagemaker",
        "update_model_package",
        lambda a: {"ModelPackageArn": package, "ModelApprovalStatus": "Approved"},
    )
    refused = attempt(account, role, act) == "AccessDeniedException"
    assert refused == (role != "operator")
