"""The whole pipeline through the commands that a user types, on an embedded AWS. The order of the tests matters."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from embedded_aws import client
from ops.permissions import documents, matrix, reasons, record
from ops.permissions.reference import applies
from tests.e2e import notebook_kit
from tests.e2e.pipeline_kit import PREFIX, REGION, Stage, first_denied, training_process, without

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


def test_a_stage_without_its_predecessor_names_the_command(inv):
    refused = inv("tune")
    assert refused.code == 1
    assert "run ./inv apply --stack foundation" in refused.output
    assert "Traceback" not in refused.output


def test_a_fresh_environment_can_be_planned_and_stays_untouched(inv):
    planned = inv("plan", "--json")
    assert planned.code == 0, planned.output
    assert {"address": "module.storage.aws_s3_bucket.this", "actions": ["create"]} in planned.json[
        "foundation"
    ]
    assert inv("status", "--json").json["foundation"] is None


def test_tuning_without_data_names_the_command(inv, access):
    applied = inv("apply", "--stack", "foundation")
    assert applied.code == 0, applied.output
    refused = inv("tune")
    assert refused.code == 1
    assert "Environment local has no data: run ./inv data first." in refused.output


def test_the_demo_deploys_an_accurate_model(demo):
    result = demo.json
    assert result["predict"]["images"] == result["data"]["counts"]["test"] == 269
    assert result["predict"]["accuracy"] >= 0.9
    assert [trial["status"] for trial in result["tune"]["trials"]] == ["Completed", "Completed"]
    assert result["tune"]["best_objective"] == max(trial["objective"] for trial in result["tune"]["trials"])
    assert result["train"]["metrics"]["test:accuracy"] == pytest.approx(
        result["predict"]["accuracy"], abs=0.01
    )


def test_the_table_of_trials_has_the_columns_of_the_sdk(demo):
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
        assert column in demo.output


def test_a_second_demo_changes_nothing(inv, demo):
    began = time.monotonic()
    again = inv("demo", "--json")
    assert again.code == 0, again.output
    assert time.monotonic() - began < 90
    assert not again.json["tune"]["ran"] and not again.json["train"]["ran"]
    assert (
        again.json["data"]["sent"] == 0 and again.json["foundation"] == [] == again.json["deploy"]["changes"]
    )
    assert again.json["train"]["model_version"] == demo.json["train"]["model_version"]


def test_the_second_plan_is_empty(inv, demo):
    assert inv("plan", "--json").json == {"foundation": [], "serving": []}


def test_the_plan_of_a_pull_request_changes_nothing(inv, demo):
    states = inv.root("s3").list_objects_v2(Bucket="image-classifier-tfstate-123456789012-us-east-1")
    planned = inv("plan", "--model", "1", "--json", role="ci-plan")
    assert planned.code == 0, planned.output
    assert planned.json == {"foundation": [], "serving": []}
    after = inv.root("s3").list_objects_v2(Bucket="image-classifier-tfstate-123456789012-us-east-1")
    assert after["Contents"] == states["Contents"]
    refused = inv("apply", "--stack", "foundation", role="ci-plan")
    assert refused.code == 1
    assert "is not authorized to perform: s3:PutObject" in refused.output


def test_status_reports_the_endpoint(inv, demo):
    found = inv("status", "--json").json
    (endpoint,) = found["endpoints"]
    assert (endpoint["status"], endpoint["instances"]) == ("InService", 1)
    assert endpoint["provisioned_concurrency"] == "READY, 2 of 2 provisioned"
    assert found["data"]["dataset"] == "sample"


def test_predict_classifies_a_file(inv, demo):
    picture = min((inv.folder / "work" / "data").rglob("test/7/*.png"))
    answer = inv("predict", "--image", str(picture), "--top-k", "3", "--json")
    assert answer.code == 0, answer.output
    predictions = answer.json["predictions"]
    assert len(predictions) == 3
    assert predictions[0]["label"] == "7"
    assert predictions[0]["probability"] > predictions[1]["probability"]


def test_a_loopback_url_is_refused(inv, demo):
    refused = inv("predict", "--url", "https://127.0.0.1/x.png")
    assert refused.code == 1
    assert "403" in refused.output


def test_an_unknown_version_is_refused(inv, demo):
    refused = inv("deploy", "--model", "99")
    assert refused.code == 1
    assert "There is no model version 99: choose one of 1 " in refused.output


def test_a_killed_training_is_resumed(inv, demo):
    process = inv.start("train", "--instances", "2")
    for line in process.stderr:
        if "epoch 1:" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    resumed = inv("train", "--instances", "2", "--json")
    assert resumed.code == 0, resumed.output
    assert resumed.json["model_version"] == 2
    assert resumed.json["metrics"]["test:accuracy"] >= 0.9
    jobs = [version["lineage"]["training_job"] for version in inv("models", "--json").json]
    assert jobs == [resumed.json["training_job"], demo.json["train"]["training_job"]]


def test_ci_deploys_and_the_operator_rolls_back(inv, demo):
    folder = str(inv.folder / "plan")
    planned = inv("plan", "--model", "2", "--save", folder, "--json", role="ci-plan")
    assert planned.code == 0, planned.output
    applied = inv("apply", "--plan", folder, "--json", role="ci-apply")
    assert applied.code == 0, applied.output
    assert applied.json == {s: [c["address"] for c in changes] for s, changes in planned.json.items()}
    assert "serves version 2" in applied.output
    again = inv("apply", "--plan", folder, role="ci-apply")
    assert again.code == 1
    assert "is out of date: deployed would now be given otherwise" in again.output
    back = inv("rollback", "--json")
    assert back.code == 0, back.output
    assert back.json["model_version"] == 1
    assert inv("apply", "--stack", "access", role="ci-apply").code == 1


def test_a_second_endpoint_is_deployed_next_to_the_first(inv, demo):
    deployed = inv("deploy", "--endpoint", "multi", "--model", "2", "--json")
    assert deployed.code == 0, deployed.output
    serving = {e["name"]: e["model"] for e in inv("status", "--json").json["endpoints"]}
    assert serving == {"image-classifier-local": "1", "image-classifier-local-multi": "2"}
    answer = inv("predict", "--endpoint", "multi", "--json")
    assert answer.json["predictions"][0]["label"] == "0"
    refused = inv("rollback", "--endpoint", "multi")
    assert refused.code == 1
    assert "image-classifier-local-multi has no earlier model to roll back to" in refused.output


# ---- the same training elsewhere ----


def test_training_on_this_machine_has_the_same_result(inv, demo):
    here = inv("train", "--on", "here", "--json")
    assert here.code == 0, here.output
    assert here.json["metrics"]["test:accuracy"] == pytest.approx(
        demo.json["train"]["metrics"]["test:accuracy"], abs=0.01
    )
    assert "Where it was trained" in here.output
    launchers = {row["on"]: row for row in here.json["comparison"]}
    assert set(launchers) == {"sagemaker", "here"}
    assert launchers["here"]["usd"] == 0 < launchers["sagemaker"]["usd"]
    again = inv("train", "--on", "here", "--json")
    assert (again.json["ran"], again.json["model_version"]) == (False, here.json["model_version"])


def test_a_gpu_without_quota_is_refused_with_the_command_to_request_it(inv, demo):
    refused = inv("ec2.train", "--instance-type", "g5.xlarge")
    assert refused.code == 1
    assert "L-DB2E81BA" in refused.output
    assert (
        "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA"
        in refused.output
    )
    assert not inv.root("ec2").describe_instances()["Reservations"]


def test_a_reclaimed_spot_host_is_replaced_and_the_job_resumed(inv, demo, until):
    """The command that launched the host is killed: the next command resumes its job."""
    process = inv.start("ec2.train", "--spot")
    for line in process.stderr:
        if "epoch 1:" in line:
            break
    name = "/image-classifier/local/training_host"
    host = json.loads(inv.root("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    training, logs = training_process(host["instance_id"]), inv.root("logs")
    os.kill(training, signal.SIGSTOP)  # epochs are left when the interruption notice arrives
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    client.interrupt(inv.home, REGION, host["instance_id"])

    def logged(text: str) -> list[str]:
        found = logs.filter_log_events(logGroupName=host["log_group"], logStreamNamePrefix=f"{host['job']}/")
        return [event["message"] for event in found["events"] if text in event["message"]]

    until(lambda: logged("EC2 reclaims this Spot Instance at"))
    os.kill(training, signal.SIGCONT)
    finished = inv("ec2.train", "--spot", "--json")
    assert finished.code == 0, finished.output
    assert finished.json["training_job"] == host["job"]
    assert finished.json["metrics"]["test:accuracy"] == pytest.approx(
        demo.json["train"]["metrics"]["test:accuracy"], abs=0.01
    )
    assert logged("resumed after epoch") and len(logged("downloaded the checkpoint")) == 1
    assert len(logged("registered arn:aws:sagemaker:")) == 1
    states = [
        (i["State"]["Name"], i["InstanceLifecycle"])
        for r in inv.root("ec2").describe_instances()["Reservations"]
        for i in r["Instances"]
    ]
    assert states == [("terminated", "spot")] * 2
    assert {row["on"] for row in finished.json["comparison"]} == {"sagemaker", "here", "ec2"}
    left = inv("status", "--json").json
    assert left["unfinished"] == []
    (version,) = [v for v in inv("models", "--json").json if v["lineage"]["training_job"] == host["job"]]
    assert (version["approval"], version["lineage"]["launcher"], version["lineage"]["spot"]) == (
        "Approved",
        "ec2",
        "true",
    )


# ---- in notebooks ----


def test_the_notebook_runs_as_the_operator(inv, demo):
    outputs = notebook_kit.run_here(inv.variables("operator", "notebook"))
    notebook_kit.check(outputs, f"assumed-role/{PREFIX}-operator/")


def test_the_notebook_runs_in_a_workbench_as_its_role(inv, demo):
    with notebook_kit.workbench(inv) as bench:
        outputs = bench.run("train.run(environment, again=True)")
        shown = inv("status", "--json").json["workbench"]
        refused = inv("destroy", "--stack", "foundation")
        inv.gone = documents.collect(inv.root("iam"), PREFIX)  # its role goes with it
    notebook_kit.check(outputs, f"assumed-role/{PREFIX}-workbench/")
    assert "epoch 1:" in outputs[-1]
    assert (shown["kind"], shown["state"]) == ("notebook", "InService")
    assert refused.code == 1 and "./inv workbench.down" in refused.output


# ---- what the roles may do ----


@pytest.fixture(scope="module")
def granted(inv, demo) -> list[documents.Document]:
    """The policies of every role, also of those that are gone; with the record of decisions kept beyond the teardown."""
    os.link(inv.home / "log" / "decisions.jsonl", inv.folder / "decisions.jsonl")
    there = documents.collect(inv.root("iam"), PREFIX)
    return there + [document for document in inv.gone if document.name not in {d.name for d in there}]


def decided(inv) -> list[record.Decision]:
    return record.read(inv.folder / "decisions.jsonl")


@pytest.mark.parametrize(
    ("policy", "sid", "words", "who", "message"),
    [
        ("operator", "Predict", ["predict"], "operator", "perform: lambda:InvokeFunction"),
        ("inference", "InvokeOwnEndpoint", ["predict"], "operator", "the endpoint refused the call"),
        ("ci-plan", "ReadModels", ["plan", "--stack", "serving"], "ci-plan", "sagemaker:DescribeModel"),
    ],
)
def test_a_stage_fails_without_the_statement_that_the_record_says_it_needs(
    inv, granted, embedded_aws, policy, sid, words, who, message
):
    (document,) = documents.choose(granted, policy)
    denied = first_denied(embedded_aws.client("iam"), granted, document, sid, decided(inv))
    assert denied is not None
    assert inv.stage_of(denied.time) in ("demo: deploy", "ci-plan plan: plan")  # the first that asked for it
    iam, policy = inv.root("iam"), {"RoleName": f"{PREFIX}-{policy}", "PolicyName": f"{PREFIX}-{policy}"}
    whole = iam.get_role_policy(**policy)["PolicyDocument"]
    iam.put_role_policy(**policy, PolicyDocument=without(document, sid))
    try:
        failed = inv(*words, role=who)
    finally:
        iam.put_role_policy(**policy, PolicyDocument=json.dumps(whole))
    assert failed.code == 1
    assert message in failed.output
    assert inv(*words, role=who).code == 0


def test_a_killed_teardown_is_resumed(inv, demo, granted):
    jobs = [(inv.start("tune", "--again"), "InProgress"), (inv.start("train", "--again"), "Training")]
    for process, word in jobs:
        for line in process.stderr:
            if word in line:
                break
        os.killpg(process.pid, signal.SIGKILL)  # its job keeps running: the teardown stops it
        process.communicate()
    began = time.time()
    process = inv.start("down")
    for line in process.stderr:
        if "✓ serving" in line or "serving: delet" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    inv.stages.append(Stage("down", began, time.time()))
    assert inv("status").code == 0
    finished = inv("down", "--json")
    assert finished.code == 0, finished.output
    assert finished.json == {"left": []}
    assert "none (the KMS key is pending deletion" in finished.output
    assert inv("status", "--json", role="").json == {"embedded_aws": {"running": False}}
    assert not (inv.folder / "aws").exists()


def test_every_permission_was_used_or_has_a_reason(inv, granted):
    permissions = [p for document in granted for p in document.permissions(applies)]
    rows = matrix.rows(permissions, matrix.uses(granted, decided(inv)), reasons.load())
    assert matrix.problems(rows, reasons.load()) == []
    assert sum(row.state == "used" for row in rows) > 250


def test_without_any_statement_a_stage_would_have_failed(inv, granted, embedded_aws):
    iam, decisions, why = embedded_aws.client("iam"), decided(inv), reasons.load()
    fails, spare = {}, []
    for document in granted:
        for statement in document.statements:
            denied = first_denied(iam, granted, document, statement["Sid"], decisions)
            if denied:
                fails[document.name, statement["Sid"]] = inv.stage_of(denied.time)
            elif not all(why.of(p) for p in document.permissions(applies) if p.sid == statement["Sid"]):
                spare.append(f"{document.name}/{statement['Sid']}")
    assert spare == [], "another statement allows the same: remove one of the two"
    assert fails["operator", "SubmitJobsAsTuningRole"] == "tune"  # which had no data yet
    assert fails["tuning", "PassTrainingRole"] == "demo: tune"
    assert fails["stacks-identity", "ConfigureRolesWithinBoundary"] == "apply: foundation"
    assert fails["operator", "StopJobs"] == "down"
    assert fails["ci-plan", "ReadStates"] == "ci-plan plan: plan"
    assert fails["training", "WriteResults"] == "demo: tune"
    assert fails["operator", "WriteDatasets"] == "demo: data"


def test_every_trust_policy_was_used(inv, granted):
    used = {sid for d in decided(inv) if d.allowed and d.action.startswith("sts:") for sid in d.statements}
    assert used == {
        "PrincipalsOfThisAccount",
        "Ec2Instances",
        "SageMakerOfThisAccount",
        "LambdaOfThisAccount",
        "PullRequestsAndMainOfTheRepository",
        "ProtectedEnvironmentOfTheRepository",
        "SubmitJobsAsTuningRole",  # the permission of the operator
    }


def test_only_expected_requests_were_denied(inv, granted):
    """Denied are what these tests forbid, objects that do not exist yet for roles that may not list them, and the last
    log lines of functions whose role is already deleted."""
    before = [d for d in decided(inv) if not inv.stage_of(d.time).startswith("down")]
    denied = {(d.role.removeprefix(f"{PREFIX}-"), d.action) for d in matrix.denials(granted, before)}
    assert denied == {
        (
            "ec2-host",
            "s3:ListBucket",
        ),  # for the status of an earlier attempt, and for the mark of the launcher
        ("operator", "lambda:InvokeFunction"),
        ("inference", "sagemaker:InvokeEndpoint"),
        ("ci-plan", "sagemaker:DescribeModel"),
        ("ci-plan", "s3:PutObject"),  # the lock of the state
        ("ci-plan", "s3:GetObject"),
        ("ci-apply", "s3:PutObject"),  # the lock of the state of stack access
        ("ci-apply", "s3:GetObject"),
    }
