"""The whole pipeline through the commands that a user types, on an embedded AWS of its own. Tests run in this order."""

from __future__ import annotations

import json
import math
import os
import re
import time

import pytest

from embedded_aws import client
from ops.permissions import documents, matrix, reasons, record
from ops.permissions.reference import applies
from tests.e2e import notebook_kit
from tests.e2e.permissions_kit import first_denied, without
from tests.e2e.pipeline_kit import PREFIX, REGION, has_checkpoint, kill_group, training_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"


# ---- from nothing to a model in service ----


def test_tune_without_foundation_names_the_command_that_creates_it(inv):
    assert "run ./inv apply --stack foundation" in inv.fail("tune")


def test_plan_of_an_empty_account_creates_nothing(inv):
    planned = inv.succeed("plan").json
    bucket = {"address": "module.storage.aws_s3_bucket.this", "actions": ["create"]}
    assert bucket in planned["foundation"]
    assert inv.succeed("status").json["foundation"] is None


def test_tune_without_data_names_the_command_that_uploads_it(inv, access):
    inv.succeed("apply", "--stack", "foundation")
    assert "Environment local has no data: run ./inv data first." in inv.fail("tune")


def test_demo_serves_an_accurate_model(demo):
    result = demo.json
    assert result["predict"]["images"] == result["data"]["counts"]["test"] == 269
    assert result["predict"]["accuracy"] >= 0.9
    assert [trial["status"] for trial in result["tune"]["trials"]] == ["Completed", "Completed"]
    assert result["tune"]["best_objective"] == max(trial["objective"] for trial in result["tune"]["trials"])
    assert result["train"]["metrics"]["test:accuracy"] == pytest.approx(
        result["predict"]["accuracy"], abs=0.01
    )


def test_trial_table_has_the_columns_of_the_sagemaker_sdk(demo):
    for column in (
        "batch-size",
        "learning-rate",
        "optimizer",
        "TrainingJobName",
        "TrainingJobStatus",
        "FinalObjectiveValue",
        "TrainingStartTime",
        "TrainingEndTime",
        "TrainingElapsedTimeSeconds",
    ):
        assert column in demo.messages


def test_second_demo_changes_nothing(inv, demo):
    began = time.monotonic()
    again = inv.succeed("demo").json
    assert time.monotonic() - began < 90
    assert not again["tune"]["ran"] and not again["train"]["ran"]
    assert again["data"]["sent"] == 0
    assert again["foundation"] == [] == again["deploy"]["changes"]
    assert again["train"]["model_version"] == demo.json["train"]["model_version"]


def test_plan_of_a_pull_request_is_empty_and_read_only(inv, demo):
    def states() -> list[dict]:
        bucket = "image-classifier-tfstate-123456789012-us-east-1"
        return inv.root("s3").list_objects_v2(Bucket=bucket)["Contents"]

    before = states()
    planned = inv.succeed("plan", "--model", "1", role="ci-plan").json
    assert planned == {"foundation": [], "serving": []}
    assert states() == before
    refused = inv.fail("apply", "--stack", "foundation", role="ci-plan")
    assert "is not authorized to perform: s3:PutObject" in refused


def test_status_shows_the_endpoint_and_the_function(inv, demo):
    found = inv.succeed("status").json
    (endpoint,) = found["endpoints"]
    assert (endpoint["status"], endpoint["instances"]) == ("InService", 1)
    assert endpoint["provisioned_concurrency"] == "READY, 2 of 2 provisioned"
    assert found["data"]["dataset"] == "sample"
    assert (found["attention"], endpoint["drift"], endpoint["function_drift"]) == ([], "", "")


def test_predict_classifies_a_file(inv, demo):
    picture = min((inv.folder / "work" / "data").rglob("test/7/*.png"))
    predictions = inv.succeed("predict", "--image", str(picture), "--top-k", "3").json["predictions"]
    assert len(predictions) == 3
    assert predictions[0]["label"] == "7"
    assert predictions[0]["probability"] > predictions[1]["probability"]


def test_predict_refuses_a_loopback_url(inv, demo):
    assert "403" in inv.fail("predict", "--url", "https://127.0.0.1/x.png")


def test_deploy_refuses_a_model_version_that_does_not_exist(inv, demo):
    assert "There is no model version 99: choose one of 1" in inv.fail("deploy", "--model", "99")


def test_train_resumes_the_job_of_a_killed_command(inv, demo):
    inv.kill("epoch 1:", "train", "--instances", "2")
    resumed = inv.succeed("train", "--instances", "2").json
    assert resumed["model_version"] == 2
    assert resumed["metrics"]["test:accuracy"] >= 0.9
    jobs = [version["lineage"]["training_job"] for version in inv.succeed("models").json]
    assert jobs == [resumed["training_job"], demo.json["train"]["training_job"]]


def test_a_rejected_version_is_refused_until_it_is_approved(inv, demo):
    rejected = inv.succeed("models", "--reject", "2", "--because", "confuses 3 and 8").json
    assert (rejected["approval"], rejected["in_service"]) == ("Rejected", [])
    began = time.monotonic()
    refused = inv.fail("deploy", "--model", "2")
    assert time.monotonic() - began < 30  # before any wait; on a quiet machine, 2 s
    assert "Model version 2 was rejected (confuses 3 and 8 (Rejected by arn:aws:sts:" in refused
    assert './inv models --approve 2 --because "…"' in refused
    approved = inv.succeed("models", "--approve", "2", "--because", "it does not").json
    assert "it does not (Approved by arn:aws:sts:" in approved["because"]


def test_ci_deploys_a_saved_plan_and_the_operator_rolls_back(inv, demo):
    folder = str(inv.folder / "plan")
    planned = inv.succeed("plan", "--model", "2", "--save", folder, role="ci-plan").json
    applied = inv.succeed("apply", "--plan", folder, role="ci-apply")
    assert applied.json == {s: [c["address"] for c in changes] for s, changes in planned.items()}
    assert "serves version 2" in applied.messages
    refused = inv.fail("apply", "--plan", folder, role="ci-apply")
    assert "is out of date: its inputs have changed (deployed)" in refused
    assert inv.succeed("rollback").json["model_version"] == 1
    inv.fail("apply", "--stack", "access", role="ci-apply")


def test_second_endpoint_serves_next_to_the_first(inv, demo):
    inv.succeed("deploy", "--endpoint", "multi", "--model", "2")
    serving = {e["name"]: e["model"] for e in inv.succeed("status").json["endpoints"]}
    assert serving == {PREFIX: "1", f"{PREFIX}-multi": "2"}
    answer = inv.succeed("predict", "--endpoint", "multi").json
    assert answer["predictions"][0]["label"] == "0"
    refused = inv.fail("rollback", "--endpoint", "multi")
    assert f"{PREFIX}-multi has no earlier model to roll back to" in refused


# ---- training on this machine and on EC2 ----


def test_training_on_this_machine_gives_the_same_model(inv, demo):
    here = inv.succeed("train", "--on", "here")
    assert here.json["metrics"]["test:accuracy"] == pytest.approx(
        demo.json["train"]["metrics"]["test:accuracy"], abs=0.01
    )
    assert "Where it was trained" in here.messages
    comparison = {row["on"]: row for row in here.json["comparison"]}
    assert set(comparison) == {"sagemaker", "here"}
    assert comparison["here"]["usd"] == 0 < comparison["sagemaker"]["usd"]
    again = inv.succeed("train", "--on", "here").json
    assert (again["ran"], again["model_version"]) == (False, here.json["model_version"])


def test_ec2_train_without_quota_names_the_command_that_requests_it(inv, demo):
    refused = inv.fail("ec2.train", "--instance-type", "g5.xlarge")
    assert (
        "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA"
        in refused
    )
    assert not inv.root("ec2").describe_instances()["Reservations"]


@pytest.fixture
def interrupted_host(inv, demo, until) -> dict[str, str]:
    """Outputs of a Spot host with an interruption notice. The command that created it was killed."""
    command = inv.start("ec2.train", "--spot")
    (reservation,) = until(lambda: inv.root("ec2").describe_instances()["Reservations"], 120)
    instance = reservation["Instances"][0]["InstanceId"]
    training = until(lambda: training_process(instance), 120)
    until(lambda: has_checkpoint(training), 120)
    training.suspend()  # so that the notice comes before the last epoch
    host = until(lambda: inv.outputs("training_host"), 120)
    assert host["instance_id"] == instance
    kill_group(command)
    client.interrupt(inv.home, REGION, instance)
    until(lambda: "EC2 reclaims this Spot Instance at" in inv.log(host["log_group"], host["job"]))
    training.resume()
    return host


def test_ec2_train_resumes_on_a_second_spot_host_after_an_interruption(inv, demo, interrupted_host):
    finished = inv.succeed("ec2.train", "--spot").json
    job = interrupted_host["job"]
    assert finished["training_job"] == job
    assert finished["metrics"]["test:accuracy"] == pytest.approx(
        demo.json["train"]["metrics"]["test:accuracy"], abs=0.01
    )
    log = inv.log(interrupted_host["log_group"], job)
    assert "resumed after epoch" in log
    assert log.count("downloaded the checkpoint") == log.count("registered arn:aws:sagemaker:") == 1
    states = [
        (instance["State"]["Name"], instance["InstanceLifecycle"])
        for reservation in inv.root("ec2").describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    ]
    assert states == [("terminated", "spot")] * 2
    assert {row["on"] for row in finished["comparison"]} == {"sagemaker", "here", "ec2"}
    assert inv.succeed("status").json["unfinished"] == []
    (version,) = [v for v in inv.succeed("models").json if v["lineage"]["training_job"] == job]
    lineage = version["lineage"]
    assert (version["approval"], lineage["launcher"], lineage["spot"]) == ("Approved", "ec2", "true")


# ---- notebooks ----


def test_notebook_runs_as_the_operator(inv, demo):
    outputs = notebook_kit.run_here(inv.repository, inv.variables("operator", "notebook"))
    notebook_kit.check_outputs(outputs, f"assumed-role/{PREFIX}-operator/")


def test_notebook_runs_in_a_notebook_instance_with_its_role(inv, demo):
    with notebook_kit.notebook_instance(inv) as workbench:
        outputs = workbench.run_notebook("train.run(environment, again=True)")
        shown = inv.succeed("status").json["workbench"]
        refused = inv.fail("destroy", "--stack", "foundation")
    notebook_kit.check_outputs(outputs, f"assumed-role/{PREFIX}-workbench/")
    assert "epoch 1:" in outputs[-1]
    assert (shown["kind"], shown["state"]) == ("notebook", "InService")
    assert "./inv workbench.down" in refused


def test_studio_is_created_opened_changed_and_removed(inv, demo):
    created = inv.succeed("workbench.up").json
    assert (created["kind"], created["state"]) == ("studio", "stopped")
    workbench = notebook_kit.Workbench(inv.succeed("workbench.open").json["url"])
    caller = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    assert f"assumed-role/{PREFIX}-workbench/" in workbench.browser.run(caller)
    assert inv.succeed("status").json["workbench"]["state"] == "InService"
    changed = inv.succeed("workbench.up", "--instance-type", "ml.t3.large").json
    assert changed["repository"] == created["repository"] and changed["changes"]
    assert inv.succeed("status").json["workbench"]["state"] == "stopped"
    assert inv.succeed("workbench.open").json["url"]
    inv.removed_documents = documents.collect(inv.root("iam"), PREFIX)  # with those of the workbench's role
    assert inv.succeed("workbench.down").json["removed"]
    groups = inv.root("ec2").describe_security_groups()["SecurityGroups"]
    assert [group["GroupName"] for group in groups if "nfs" in group["GroupName"]] == []
    assert inv.root("sagemaker").list_domains()["Domains"] == []
    assert inv.root("efs").describe_file_systems()["FileSystems"] == []


# ---- a frozen backbone ----


def test_trials_and_training_share_the_features_of_a_frozen_backbone(inv, demo, frozen_backbone):
    searched, trained = inv.succeed("tune").json, inv.succeed("train").json
    features = searched["features"]
    assert not features["reused"]
    assert "saved the features of 1797 images" in inv.log(TRAINING_LOGS, features["job"])
    for job in [*(trial["name"] for trial in searched["trials"]), trained["training_job"]]:
        log = inv.log(TRAINING_LOGS, job)
        assert "epoch=1 " in log
        assert "features of" not in log
    assert trained["metrics"]["test:accuracy"] > 0.5
    assert inv.succeed("tune", "--again", "--jobs", "1").json["features"]["reused"]


# ---- permissions ----


@pytest.fixture(scope="module")
def granted(inv, demo) -> list[documents.Document]:
    """The policies of all roles, also of removed ones. Links the record of decisions, which teardown removes."""
    os.link(inv.home / "log" / "decisions.jsonl", inv.folder / "decisions.jsonl")
    current = documents.collect(inv.root("iam"), PREFIX)
    names = {document.name for document in current}
    return current + [document for document in inv.removed_documents if document.name not in names]


@pytest.fixture
def decisions(inv, granted) -> list[record.Decision]:
    """All access decisions so far."""
    return record.read(inv.folder / "decisions.jsonl")


@pytest.mark.parametrize(
    ("policy", "sid", "words", "role", "message"),
    [
        ("operator", "Predict", ["predict"], "operator", "perform: lambda:InvokeFunction"),
        ("inference", "InvokeOwnEndpoint", ["predict"], "operator", "the endpoint refused the call"),
        ("ci-plan", "ReadModels", ["plan", "--stack", "serving"], "ci-plan", "sagemaker:DescribeModel"),
    ],
)
def test_command_fails_without_a_statement_it_needs(
    inv, granted, decisions, embedded_aws, policy, sid, words, role, message
):
    (document,) = documents.choose(granted, policy)
    denied = first_denied(embedded_aws.client("iam"), granted, document, sid, decisions)
    assert denied is not None
    assert inv.stage_at(denied.time) in ("demo: deploy", "ci-plan plan: plan")  # the first that needed it
    iam, names = inv.root("iam"), {"RoleName": f"{PREFIX}-{policy}", "PolicyName": f"{PREFIX}-{policy}"}
    complete = iam.get_role_policy(**names)["PolicyDocument"]
    iam.put_role_policy(**names, PolicyDocument=without(document, sid))
    try:
        failed = inv.fail(*words, role=role)
    finally:
        iam.put_role_policy(**names, PolicyDocument=json.dumps(complete))
    assert message in failed


def test_second_teardown_finishes_a_killed_one(inv, demo, granted):
    for kind, running in (("tune", "InProgress"), ("train", "Downloading|Training")):
        inv.kill(running, kind, "--again")  # the job keeps running
        assert inv.succeed(kind, "--stop").json["stopped"]
    inv.kill("✓ serving|serving: delet", "down")
    inv.succeed("status")
    finished = inv.succeed("down")
    assert finished.json == {"kept": [], "left": []}
    assert re.search(r"✓ leftovers .* none", finished.messages)
    assert inv("status", "--json", role="").json == {"embedded_aws": {"running": False}}
    assert not inv.home.exists()


def test_every_permission_was_used_or_has_a_reason(granted, decisions):
    permissions = [p for document in granted for p in document.permissions(applies)]
    rows = matrix.rows(permissions, matrix.uses(granted, decisions), reasons.load())
    assert matrix.problems(rows, reasons.load()) == []
    assert sum(row.state == "used" for row in rows) > 250


def test_no_statement_is_redundant(inv, granted, decisions, embedded_aws):
    iam, why = embedded_aws.client("iam"), reasons.load()
    needed, redundant = {}, []
    for document in granted:
        for statement in document.statements:
            denied = first_denied(iam, granted, document, statement["Sid"], decisions)
            if denied:
                needed[document.name, statement["Sid"]] = inv.stage_at(denied.time)
            elif not all(why.of(p) for p in document.permissions(applies) if p.sid == statement["Sid"]):
                redundant.append(f"{document.name}/{statement['Sid']}")
    assert redundant == [], "another statement allows the same: remove one of the two"
    assert needed["operator", "SubmitJobsAsTuningRole"] == "tune"  # of the test without data
    assert needed["tuning", "PassRolesOfJobs"] == "demo: tune"
    assert needed["stacks-identity", "ConfigureRolesWithinBoundary"] == "apply: foundation"
    assert needed["operator", "StopJobs"] == "tune"
    assert needed["ci-plan", "ReadStates"] == "ci-plan plan: plan"
    assert needed["training", "WriteResults"] == "demo: tune"
    assert needed["operator", "WriteDatasets"] == "demo: data"


def test_every_trust_policy_allowed_a_session(decisions):
    used = {sid for d in decisions if d.allowed and d.action.startswith("sts:") for sid in d.statements}
    assert used == {
        "PrincipalsOfThisAccount",
        "Ec2Instances",
        "SageMakerOfThisAccount",
        "LambdaOfThisAccount",
        "PullRequestsAndMainOfTheRepository",
        "ProtectedEnvironmentOfTheRepository",
        "SubmitJobsAsTuningRole",  # of the operator's own policy
    }


def test_no_role_was_denied_what_it_needs(inv, granted, decisions):
    """Allow the denials that these tests provoke, before the first teardown: then functions still log without a role."""
    teardown = min((stage.began for stage in inv.stages if stage.name.startswith("down")), default=math.inf)
    before = [d for d in decisions if d.time < teardown]
    denied = {(d.role.removeprefix(f"{PREFIX}-"), d.action) for d in matrix.denials(granted, before)}
    assert denied == {
        ("ec2-host", "s3:ListBucket"),  # HeadObject of a missing object, without permission to list
        ("operator", "lambda:InvokeFunction"),
        ("inference", "sagemaker:InvokeEndpoint"),
        ("ci-plan", "sagemaker:DescribeModel"),
        ("ci-plan", "s3:PutObject"),  # lock of a state
        ("ci-apply", "s3:PutObject"),  # lock of the state of stack access
    }
