"""The workbench: what an update deletes and waits for, how it starts, and its state."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from ops.errors import OperatorError
from pipeline.workbench import studio, workbench
from tests.pipeline.workbench.fake_sagemaker import refused

NAME = "image-classifier-dev-workbench"


def quiet(text: str) -> None:
    pass


def notebook(status: str) -> dict:
    return {"NotebookInstanceName": NAME, "NotebookInstanceStatus": status}


# ---- up ----


def test_the_stack_gets_the_settings(env, sagemaker, stack, publish):
    wanted = workbench.chosen(env.settings, None, None, True)
    assert workbench.up(env, wanted, "s3://b/r.tar.gz", quiet) == ["module.workbench[0].x"]
    assert stack.inputs == [
        {
            "kind": "studio",
            "instance_type": "ml.t3.medium",
            "volume_size_gb": 20,
            "idle_minutes": 60,
            "internet_access": True,
            "repository_uri": "s3://b/r.tar.gz",
        }
    ]


@pytest.mark.parametrize(
    ("kind", "instance_type", "volume", "internet", "uri", "deleted"),
    [
        ("studio", None, 20, True, "r", []),
        ("studio", "ml.m5.large", 20, True, "r", [NAME]),
        ("studio", None, 30, True, "r", [NAME]),
        ("studio", None, 20, False, "r", [NAME]),
        ("studio", None, 20, True, "another", [NAME]),
        ("notebook", None, 20, True, "r", [NAME]),
    ],
)
def test_jupyterlab_is_deleted_only_for_another_instance_network_or_start(
    env, sagemaker, stack, publish, kind, instance_type, volume, internet, uri, deleted
):
    publish()
    sagemaker.domains = {"d-1": NAME, "d-2": "another"}
    sagemaker.apps = {("d-1", NAME): {"Status": "InService"}, ("d-2", "theirs"): {"Status": "InService"}}

    def apply(inputs):
        assert sagemaker.apps["d-1", NAME]["Status"] == ("Deleted" if deleted else "InService")
        sagemaker.notebook = notebook("InService") if kind == "notebook" else None

    stack.up = apply
    wanted = workbench.chosen(env.settings, kind, instance_type, internet)
    wanted = wanted.model_copy(update={"volume_size_gb": volume})
    workbench.up(env, wanted, f"s3://b/{uri}.tar.gz", quiet)
    assert [call["SpaceName"] for call in sagemaker.named("delete_app")] == deleted
    assert sagemaker.apps["d-2", "theirs"]["Status"] == "InService"


def test_a_stopped_notebook_instance_is_not_started_and_a_failed_one_reports_its_reason(
    env, sagemaker, stack, publish
):
    wanted = workbench.chosen(env.settings, "notebook", None, True)
    sagemaker.notebook = notebook("Updating")
    workbench.up(env, wanted, "s3://b/r.tar.gz", quiet)
    assert sagemaker.named("start_notebook_instance") == []
    sagemaker.notebook, sagemaker.fails = notebook("Pending"), "The lifecycle script ended with 1"
    with pytest.raises(
        OperatorError,
        match=r"is Failed: The lifecycle script ended with 1\. .*NotebookInstances\. Run .*workbench\.down",
    ):
        workbench.up(env, wanted, "s3://b/r.tar.gz", quiet)


def test_a_notebook_instance_is_changed_once_it_is_stable(env, sagemaker, stack, publish):
    publish("notebook", None)
    sagemaker.notebook = notebook("Stopping")
    stack.up = lambda inputs: seen.append(sagemaker.notebook["NotebookInstanceStatus"])
    seen: list[str] = []
    workbench.up(
        env, workbench.chosen(env.settings, "notebook", "ml.m5.xlarge", True), "s3://b/r.tar.gz", quiet
    )
    assert seen == ["Stopped"]


# ---- open ----


def test_a_notebook_instance_that_cannot_be_started_is_an_error(env, sagemaker, publish, monkeypatch):
    publish("notebook", None)
    sagemaker.notebook = notebook("Stopped")

    def start(NotebookInstanceName):
        raise refused("StartNotebookInstance", "ValidationException", "its platform is no more")

    monkeypatch.setattr(sagemaker, "start_notebook_instance", start)
    with pytest.raises(ClientError, match="its platform is no more"):
        workbench.open_url(env, quiet)


def test_opening_a_missing_workbench_names_the_command(env, sagemaker, publish):
    with pytest.raises(OperatorError, match=r"dev has no workbench: run \./inv workbench\.up --env dev"):
        workbench.open_url(env, quiet)


@pytest.mark.parametrize(
    ("status", "starts"), [("InService", 0), ("Stopped", 1), ("Stopping", 1), ("Pending", 0)]
)
def test_opening_starts_a_notebook_instance(env, sagemaker, publish, status, starts):
    publish("notebook", None)
    sagemaker.notebook = notebook(status)
    assert workbench.open_url(env, quiet) == f"https://{NAME}.notebook/?authToken=x"
    assert len(sagemaker.named("start_notebook_instance")) == starts


@pytest.mark.parametrize(
    ("status", "starts"),
    [(None, 1), ("InService", 0), ("Pending", 0), ("Deleting", 1), ("Deleted", 1), ("Failed", 1)],
)
def test_opening_starts_jupyterlab_in_its_space(env, sagemaker, publish, status, starts):
    publish()
    if status:
        sagemaker.apps["d-1", NAME] = {"Status": status}
    assert workbench.open_url(env, quiet) == "https://d-1.studio/auth?token=x"
    created = sagemaker.named("create_app")
    assert len(created) == starts
    spec = {"InstanceType": "ml.t3.large", "LifecycleConfigArn": "arn:config"}
    assert all(
        (c["SpaceName"], c["AppType"], c["AppName"], c["ResourceSpec"])
        == (NAME, "JupyterLab", "default", spec)
        for c in created
    )
    (url,) = sagemaker.named("create_presigned_domain_url")
    assert (url["UserProfileName"], url["SpaceName"], url["ExpiresInSeconds"]) == (NAME, NAME, 300)


def test_a_start_by_somebody_else_is_no_error(env, sagemaker, publish):
    publish()
    sagemaker.raced = True
    assert workbench.open_url(env, quiet) == "https://d-1.studio/auth?token=x"
    publish("notebook", None)
    sagemaker.notebook, sagemaker.raced = notebook("Stopped"), True
    assert workbench.open_url(env, quiet) == f"https://{NAME}.notebook/?authToken=x"


def test_a_failed_start_of_jupyterlab_reports_its_reason(env, sagemaker, publish):
    publish()
    sagemaker.fails = "InsufficientCapacity"
    with pytest.raises(
        OperatorError, match=r"failed: InsufficientCapacity\. .*workbench\.open --env dev again"
    ):
        workbench.open_url(env, quiet)


def test_a_wait_without_end_is_an_error(env, sagemaker, publish, monkeypatch):
    publish("notebook", None)
    sagemaker.notebook = notebook("InMaintenance")
    monkeypatch.setattr(studio, "WAIT_SECONDS", -1)
    with pytest.raises(
        OperatorError, match=r"the start of notebook instance .* \(InMaintenance\) is not complete after"
    ):
        workbench.open_url(env, quiet)


# ---- state ----


@pytest.mark.parametrize(
    ("kind", "found", "state"),
    [
        ("notebook", None, "missing"),
        ("notebook", "Stopped", "stopped"),
        ("notebook", "InService", "InService"),
        ("studio", None, "stopped"),
        ("studio", "Pending", "Pending"),
        ("studio", "gone", "missing"),
    ],
)
def test_state_is_the_status_of_instance_or_jupyterlab(env, sagemaker, publish, kind, found, state):
    sagemaker.domains = {} if found == "gone" else {"d-1": NAME}
    if found and kind == "notebook":
        sagemaker.notebook = notebook(found)
    elif found and found != "gone":
        sagemaker.apps["d-1", NAME] = {"Status": found}
    publish(kind)
    assert workbench.state(env, env.outputs.workbench()) == state
