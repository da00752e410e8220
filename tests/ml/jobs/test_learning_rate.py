"""The job that finds a learning rate: its name, what it is given, its result, and that it leaves trainings alone."""

import io
import json
import tarfile

import pytest

from ml.jobs import job_inputs, learning_rate, search, training
from ml.jobs.launchers import base, jobs_in_s3
from ml.jobs.launchers.here import HereLauncher
from ops import s3
from ops.errors import OperatorError

MEASURED = {
    "suggested": 0.02,
    "rates": [0.001, 0.01, 0.1],
    "losses": [2.0, 1.0, 3.0],
    "batch_size": 64,
    "optimizer": "adamw",
}


def archive(name: str = learning_rate.RESULT, content: object = MEASURED) -> bytes:
    body, text = io.BytesIO(), json.dumps(content).encode()
    with tarfile.open(fileobj=body, mode="w:gz") as packed:
        info = tarfile.TarInfo(name)
        info.size = len(text)
        packed.addfile(info, io.BytesIO(text))
    return body.getvalue()


class Launcher(HereLauncher):
    """Runs nothing: the artifact is there at once."""

    def __init__(self, env, body: bytes | None = None) -> None:
        super().__init__(env)
        self.env, self.body, self.ran = env, archive() if body is None else body, {}

    def describe(self, name):
        return {"status": "Completed", "usable": True} if name in self.ran else None

    def outcome(self, name):
        return base.Outcome(f"s3://{self.env.data_bucket}/training/{name}/output/model.tar.gz", {}, 1, 1)

    def run(self, training, name, on_status, on_line):
        self.ran[name] = training
        if self.body:
            s3.put(self.env, f"training/{name}/output/model.tar.gz", self.body)
        return self.outcome(name)


@pytest.fixture
def env(account, dev, manifest):
    account.upload(manifest)
    return dev


def write_search(env, manifest, **hyperparameters) -> None:
    found = search.SearchResult(
        tuning_job="search",
        model=env.settings.model.model_dump(),
        data_hash=manifest.hash,
        dataset="sample",
        best_training_job="best",
        best_objective=0.9,
        hyperparameters=hyperparameters,
    )
    s3.put(env, search.RESULT, found.model_dump_json().encode())


def test_it_needs_no_search_and_returns_what_was_measured(env):
    launcher = Launcher(env)
    name, found, ran = learning_rate.run(env, launcher)
    assert ran
    assert name.startswith("image-classifier-dev-find-lr-here-")
    assert found.model_dump() == MEASURED
    assert launcher.ran[name].hyperparameters["task"] == "find-lr"
    assert launcher.ran[name].hyperparameters["learning-rate"] == "0.003"  # of no search


def test_a_second_command_reads_the_result_of_the_first(env):
    launcher = Launcher(env)
    first, second = (learning_rate.run(env, launcher) for _ in range(2))
    assert second == (*first[:2], False)
    assert learning_rate.run(env, launcher, again=True)[0] != first[0]


def test_batch_size_and_optimizer_are_the_search_s_and_its_learning_rate_decides_nothing(env, manifest):
    launcher, names = Launcher(env), []
    for rate in ("0.1", "0.2"):
        write_search(env, manifest, **{"batch-size": "32", "learning-rate": rate})
        names.append(learning_rate.run(env, launcher)[0])
    assert len(set(names)) == 1
    assert launcher.ran[names[0]].hyperparameters["batch-size"] == "32"
    write_search(env, manifest, **{"batch-size": "16", "learning-rate": "0.1"})
    assert learning_rate.run(env, launcher)[0] not in names


def test_a_training_of_the_same_inputs_is_another_job_and_has_no_task(env, manifest):
    write_search(env, manifest, **{"batch-size": "32"})
    launcher = Launcher(env)
    inputs = training.inputs(env, launcher, None)
    assert "task" not in inputs.hyperparameters
    assert training.find(inputs, launcher, False)[0] != learning_rate.run(env, launcher)[0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is gone: run ./inv train --env dev --find-lr --again"),
        (b"garbage", "has no learning-rate.json: run"),
        (archive("model.json"), "has no learning-rate.json: run"),
        (archive(content={"rates": []}), "run ./inv train --env dev --find-lr --again"),
    ],
)
def test_a_missing_or_unreadable_result_names_the_command(env, body, message):
    with pytest.raises(OperatorError, match=message):
        learning_rate.run(env, Launcher(env, body))


def test_the_runner_registers_the_models_of_trainings_only(env, manifest):
    write_search(env, manifest)
    source = job_inputs.Source(f"s3://{env.data_bucket}/code/abc/source.tar.gz", "abc")
    for task, registers in ((base.TRAIN, True), (base.FIND_LR, False)):
        inputs = base.Training(env, manifest, source, search.latest(env), 1, task)
        job = json.loads(s3.get(env, jobs_in_s3.write(inputs, f"job-{task}", "here", None)))
        assert (job["registration"] is not None) == registers
