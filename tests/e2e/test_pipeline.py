"""The whole pipeline through the commands a user types, on an embedded AWS of its own; in the order of the file."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (
    "import sys; sys.path[0] = sys.argv[1]; from ops.program import program; "
    "program.run(['inv', '-r', *sys.argv[1:]])"
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def inv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable]:
    """`inv(*words)`: run a task to its end. `inv.start(*words)`: start it in a session of its own."""
    from local_aws import daemon

    folder = tmp_path_factory.mktemp("pipeline")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "INVOKE_"))}
    environment = {**clean, "LOCAL_AWS_HOME": str(folder / "aws"), "INV_WORK": str(folder / "work")}

    def start(*words: str) -> subprocess.Popen:
        command = [sys.executable, "-c", PROGRAM, str(ROOT), *words]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, cwd=folder,
        )  # fmt: skip

    def run(*words: str) -> SimpleNamespace:
        process = start(*words)
        out, told = process.communicate(timeout=400)
        result = SimpleNamespace(code=process.returncode, told=told)
        result.json = json.loads(out) if out.strip() else None
        return result

    run.start, run.folder = start, folder
    try:
        yield run
    finally:
        daemon.destroy(folder / "aws")


@pytest.fixture(scope="module")
def demo(inv) -> SimpleNamespace:
    result = inv("demo", "--json")
    assert result.code == 0, result.told
    return result


def test_a_stage_without_the_one_before_names_it(inv):
    refused = inv("tune")
    assert refused.code == 1
    assert "run ./inv apply --stack foundation" in refused.told
    assert "Traceback" not in refused.told


def test_a_fresh_environment_can_be_planned_and_stays_untouched(inv):
    planned = inv("plan", "--json")
    assert planned.code == 0, planned.told
    assert {"address": "module.storage.aws_s3_bucket.this", "actions": ["create"]} in planned.json[
        "foundation"
    ]
    assert inv("status", "--json").json["foundation"] is None


def test_no_data_is_a_sentence(inv):
    assert inv("apply", "--stack", "foundation").code == 0
    refused = inv("tune")
    assert refused.code == 1
    assert "No data in environment local: run ./inv data first." in refused.told


def test_the_demo_ends_with_a_model_that_answers_right(demo):
    result = demo.json
    assert result["predict"]["pictures"] == result["data"]["counts"]["test"] == 269
    assert result["predict"]["accuracy"] >= 0.9
    assert [trial["status"] for trial in result["tune"]["trials"]] == ["Completed", "Completed"]
    assert result["tune"]["best_objective"] == max(trial["objective"] for trial in result["tune"]["trials"])
    assert result["train"]["metrics"]["test:accuracy"] == pytest.approx(
        result["predict"]["accuracy"], abs=0.01
    )


def test_the_trial_table_has_the_columns_of_the_original(demo):
    for column in ("batch-size", "learning-rate", "optimizer", "TrainingJobName", "TrainingJobStatus",
                   "FinalObjectiveValue", "TrainingStartTime", "TrainingEndTime", "TrainingElapsedTimeSeconds"):  # fmt: skip
        assert column in demo.told


def test_the_demo_again_does_only_what_changed(inv, demo):
    began = time.monotonic()
    again = inv("demo", "--json")
    assert again.code == 0, again.told
    assert time.monotonic() - began < 90
    assert not again.json["tune"]["ran"] and not again.json["train"]["ran"]
    assert (
        again.json["data"]["sent"] == 0 and again.json["foundation"] == [] == again.json["deploy"]["changes"]
    )
    assert again.json["train"]["model_version"] == demo.json["train"]["model_version"]


def test_the_second_plan_is_empty(inv, demo):
    assert inv("plan", "--json").json == {"foundation": [], "serving": []}


def test_status_tells_what_serves(inv, demo):
    found = inv("status", "--json").json
    (endpoint,) = found["endpoints"]
    assert (endpoint["status"], endpoint["instances"]) == ("InService", 1)
    assert endpoint["provisioned_concurrency"] == "READY, 2 of 2 provisioned"
    assert found["data"]["dataset"] == "sample"


def test_a_file_of_the_operator_is_classified(inv, demo):
    picture = min((inv.folder / "work" / "data").rglob("test/7/*.png"))
    answer = inv("predict", "--image", str(picture), "--top-k", "3", "--json")
    assert answer.code == 0, answer.told
    predictions = answer.json["predictions"]
    assert len(predictions) == 3
    assert predictions[0]["label"] == "7"
    assert predictions[0]["probability"] > predictions[1]["probability"]


def test_a_loopback_url_is_refused(inv, demo):
    refused = inv("predict", "--url", "https://127.0.0.1/x.png")
    assert refused.code == 1
    assert "403" in refused.told


def test_a_version_that_does_not_exist_is_refused(inv, demo):
    refused = inv("deploy", "--model", "99")
    assert refused.code == 1
    assert "There is no model version 99: there are 1" in refused.told


def test_a_killed_training_is_taken_up(inv, demo):
    process = inv.start("train", "--instances", "2")
    for line in process.stderr:
        if "epoch 1:" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    taken_up = inv("train", "--instances", "2", "--json")
    assert taken_up.code == 0, taken_up.told
    assert taken_up.json["model_version"] == 2
    assert taken_up.json["metrics"]["test:accuracy"] >= 0.9
    jobs = [version["lineage"]["training_job"] for version in inv("models", "--json").json]
    assert jobs == [taken_up.json["training_job"], demo.json["train"]["training_job"]]


def test_a_second_endpoint_serves_beside_the_first(inv, demo):
    deployed = inv("deploy", "--endpoint", "multi", "--model", "2", "--json")
    assert deployed.code == 0, deployed.told
    serving = {e["name"]: e["model"] for e in inv("status", "--json").json["endpoints"]}
    assert serving == {"image-classifier-local": "1", "image-classifier-local-multi": "2"}
    answer = inv("predict", "--endpoint", "multi", "--json")
    assert answer.json["predictions"][0]["label"] == "0"


def test_a_killed_teardown_is_finished_by_the_next(inv, demo):
    process = inv.start("down")
    for line in process.stderr:
        if "✓ serving" in line or "serving: delet" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert inv("status").code == 0
    finished = inv("down", "--json")
    assert finished.code == 0, finished.told
    assert finished.json == {"left": []}
    assert "nothing is left" in finished.told
    assert inv("status", "--json").json == {"embedded_aws": {"running": False}}
    assert not (inv.folder / "aws").exists()
