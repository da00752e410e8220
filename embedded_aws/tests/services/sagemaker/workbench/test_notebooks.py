"""Notebook instances and Studio applications: role, lifecycle scripts, files, presigned URLs, idle shutdown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from embedded_aws import client
from notebooks_kit import (
    SECONDS,
    Browser,
    command_lines,
    encoded,
    get,
    lines,
    processes,
    role,
    script,
    stable,
)

NEWS = "@jupyterlab/apputils-extension:notification"
GROUP, STUDIO = "/aws/sagemaker/NotebookInstances", "/aws/sagemaker/studio"
WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


def refused(operation, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        operation(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def open_notebook(sagemaker, name: str) -> Browser:
    return Browser(
        sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName=name)["AuthorizedUrl"]
    )


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
def test_notebook_instance_runs_as_its_role_and_keeps_its_files(new_embedded_aws, until):
    aws, name = new_embedded_aws(), "life"
    sagemaker, machine = aws.client("sagemaker"), f"notebook-instance/us-east-1/{name}"
    sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=name,
        OnCreate=script("echo created"),
        OnStart=script("#!/bin/bash\necho started"),
    )
    sagemaker.create_notebook_instance(
        NotebookInstanceName=name,
        InstanceType="ml.t3.medium",
        RoleArn=role(aws, "life"),
        LifecycleConfigName=name,
    )
    assert refused(sagemaker.create_presigned_notebook_instance_url, NotebookInstanceName=name)[0] == (
        "ValidationException"
    )
    assert refused(sagemaker.stop_notebook_instance, NotebookInstanceName=name)[0] == "ValidationException"
    assert stable(sagemaker, name, until)["NotebookInstanceStatus"] == "InService"
    browser = open_notebook(sagemaker, name)
    assert browser.status == 200 and "<title>JupyterLab</title>" in browser.page
    assert browser.run(f"{WHO}; open('kept.txt', 'w').write('mine')").endswith(
        ":assumed-role/life/SageMaker\n"
    )
    settings = get(f"http://{browser.server}/lab/api/settings/{NEWS}?token={browser.token}")
    assert (
        json.loads(settings[2])["schema"]["properties"]["fetchNews"]["default"] == "false"
    )  # so that JupyterLab does not ask
    assert get(f"http://{browser.server}/api/kernels")[0] == 403  # without a token
    assert (
        browser.token and browser.token not in command_lines()
    )  # every user of the machine can read command lines
    assert processes(machine)

    sagemaker.stop_notebook_instance(NotebookInstanceName=name)
    assert stable(sagemaker, name, until)["NotebookInstanceStatus"] == "Stopped"
    assert processes(machine) == []
    sagemaker.start_notebook_instance(NotebookInstanceName=name)
    assert stable(sagemaker, name, until)["NotebookInstanceStatus"] == "InService"
    until(lambda: lines(aws, GROUP, f"{name}/LifecycleConfigOnStart") == ["started", "started"])
    assert lines(aws, GROUP, f"{name}/LifecycleConfigOnCreate") == ["created"]

    browser = open_notebook(sagemaker, name)
    assert browser.ask("GET", "contents/kept.txt?content=1")["content"] == "mine"

    assert processes(machine)
    client.stop(aws.home)
    assert processes(machine) == []
    client.start(aws.home)  # on AWS the instance would keep running
    described = aws.client("sagemaker").describe_notebook_instance(NotebookInstanceName=name)
    assert described["NotebookInstanceStatus"] in ("Pending", "InService")
    until(lambda: processes(machine))


@pytest.mark.parametrize(
    ("first_line", "status", "output"),
    [
        ("echo trying; exit 3", 3, "trying"),
        ("#!/bin/bash\nno-such-command", 127, "no-such-command: command not found"),
    ],
)
def test_failing_lifecycle_script_fails_the_instance(embedded_aws, until, first_line, status, output):
    sagemaker, name = embedded_aws.client("sagemaker"), f"failing-{status}"
    sagemaker.create_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=name,
        OnCreate=script(first_line),
        OnStart=script("echo not reached"),
    )
    sagemaker.create_notebook_instance(
        NotebookInstanceName=name,
        InstanceType="ml.t3.medium",
        RoleArn=role(embedded_aws, name),
        LifecycleConfigName=name,
    )
    described = stable(sagemaker, name, until)
    assert described["NotebookInstanceStatus"] == "Failed"
    assert f"exit status {status}" in described["FailureReason"] and name in described["FailureReason"]
    until(lambda: output in "\n".join(lines(embedded_aws, GROUP, f"{name}/LifecycleConfigOnCreate")))
    assert lines(embedded_aws, GROUP, f"{name}/LifecycleConfigOnStart") == []
    assert processes(f"notebook-instance/us-east-1/{name}") == []
    sagemaker.start_notebook_instance(
        NotebookInstanceName=name
    )  # OnCreate runs again: it has never succeeded
    assert stable(sagemaker, name, until)["NotebookInstanceStatus"] == "Failed"
    until(lambda: "\n".join(lines(embedded_aws, GROUP, f"{name}/LifecycleConfigOnCreate")).count(output) == 2)
    folder = embedded_aws.home / "notebooks" / "us-east-1" / name
    assert folder.exists()
    sagemaker.delete_notebook_instance(NotebookInstanceName=name)
    until(lambda: not folder.exists() and "RecordNotFound" in str(_described(sagemaker, name)))


def _described(sagemaker, name: str):
    try:
        return sagemaker.describe_notebook_instance(NotebookInstanceName=name)
    except ClientError as error:
        return error


def create_space(aws, spec: dict[str, str]) -> str:
    """Create a domain, its user ann and her space "hers". Returns the domain's id.

    spec: default ResourceSpec of the space.
    """
    sagemaker = aws.client("sagemaker")
    idle = {"LifecycleManagement": "ENABLED", "IdleTimeoutInMinutes": 525_600}
    domain = sagemaker.create_domain(
        DomainName="apps",
        AuthMode="IAM",
        VpcId="vpc-1",
        SubnetIds=["subnet-1"],
        DefaultUserSettings={
            "ExecutionRole": role(aws, "apps"),
            "JupyterLabAppSettings": {"AppLifecycleManagement": {"IdleSettings": idle}},
        },
    )["DomainId"]
    sagemaker.create_user_profile(DomainId=domain, UserProfileName="ann")
    sagemaker.create_space(
        DomainId=domain,
        SpaceName="hers",
        SpaceSharingSettings={"SharingType": "Private"},
        OwnershipSettings={"OwnerUserProfileName": "ann"},
        SpaceSettings={
            "AppType": "JupyterLab",
            "JupyterLabAppSettings": {"DefaultResourceSpec": spec},
        },
    )
    return domain


def test_application_runs_until_it_is_idle(new_embedded_aws, until):
    aws = new_embedded_aws(time_scale=1200)  # an hour in three seconds
    sagemaker = aws.client("sagemaker")
    config = sagemaker.create_studio_lifecycle_config(
        StudioLifecycleConfigName="hello",
        StudioLifecycleConfigAppType="JupyterLab",
        StudioLifecycleConfigContent=encoded("cd; ls *.txt 2> /dev/null || echo new"),
    )["StudioLifecycleConfigArn"]
    spec = {"LifecycleConfigArn": config}
    domain = create_space(aws, spec)
    app = {"DomainId": domain, "SpaceName": "hers", "AppType": "JupyterLab", "AppName": "default"}
    arn = sagemaker.create_app(**app, ResourceSpec={"InstanceType": "ml.t3.large"})["AppArn"]
    assert arn.endswith(f":app/{domain}/hers/JupyterLab/default")
    assert refused(sagemaker.create_app, **app)[0] == "ResourceInUse"

    def status() -> str:
        return sagemaker.describe_app(**app)["Status"]

    def open_space() -> Browser:
        url = sagemaker.create_presigned_domain_url(
            DomainId=domain, UserProfileName="ann", SpaceName="hers", LandingUri="app:JupyterLab:"
        )["AuthorizedUrl"]
        return Browser(url)

    def stable_app() -> str:
        return until(lambda: status() not in ("Pending", "Deleting") and status(), SECONDS)

    assert stable_app() == "InService"
    assert sagemaker.describe_app(**app)["ResourceSpec"]["InstanceType"] == "ml.t3.large"
    browser = open_space()
    code = f"{WHO}; open('kept.txt', 'w').write('hers')"
    assert browser.run(code).endswith(":assumed-role/apps/SageMaker\n")
    assert refused(sagemaker.delete_space, DomainId=domain, SpaceName="hers")[0] == "ResourceInUse"
    sagemaker.delete_app(**app)
    assert stable_app() == "Deleted"
    late = open_space()
    assert late.status == 404 and "no running application" in late.page

    hour = {
        "AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": 60}},
        "DefaultResourceSpec": spec,
    }
    sagemaker.update_space(DomainId=domain, SpaceName="hers", SpaceSettings={"JupyterLabAppSettings": hour})
    sagemaker.create_app(**app)
    assert stable_app() in ("InService", "Deleted")
    until(lambda: status() == "Deleted", SECONDS)
    assert [a["Status"] for a in sagemaker.list_apps(DomainIdEquals=domain)["Apps"]] == ["Deleted"]
    assert processes(f"app/us-east-1/{domain}/hers/JupyterLab/default") == []
    stream = f"{domain}/hers/JupyterLab/default/LifecycleConfigOnStart"
    until(lambda: lines(aws, STUDIO, stream) == ["new", "kept.txt"])
    sagemaker.delete_space(DomainId=domain, SpaceName="hers")
    assert refused(sagemaker.describe_app, **app)[0] == "ResourceNotFound"
