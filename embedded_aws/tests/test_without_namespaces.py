"""Jobs, endpoints and functions on a system that refuses namespaces: the same outcomes, or a refusal that is visible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wheels_kit
from embedded_aws import client
from embedded_aws.processes.isolation.container import Container, refusal
from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.pytest_plugin import EmbeddedAws
from functions_kit import Functions
from hosting_kit import Hosting, variant
from training_kit import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(refusal(Supervisor())), reason="every test runs without namespaces here"),
]

START = """
import sys; from pathlib import Path; from embedded_aws import client; from embedded_aws.listener import ANY_PORT
client.start(Path(sys.argv[1]), ANY_PORT, 1.0)
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """A server in a user namespace in which the kernel allows no other."""
    home = tmp_path_factory.mktemp("refused-aws")
    limit = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    command = ["/bin/sh", "-c", limit, "sh", sys.executable, "-c", START, str(home)]
    container = Container(options=("--root",), own={str(home): home})
    subprocess.run(container.command(command), check=True)
    try:
        yield EmbeddedAws(home)
    finally:
        client.destroy(home)


PROGRAM = """
import json, os, sys
import embedded_aws_sample
literal = sys.argv[-1] == "literal"
folder = "/opt" + "/ml/model" if literal else os.environ["SM_MODEL_DIR"]
os.makedirs(folder, exist_ok=True)
seen = {"answer": embedded_aws_sample.answer, "prefix": sys.prefix, "home": os.environ["HOME"]}
json.dump(seen, open(folder + "/model.json", "w"))
"""


def test_a_job_has_packages_of_its_own_and_may_not_write_to_the_machine(aws: EmbeddedAws) -> None:
    work = Training(aws)
    before = os.path.exists("/opt/ml")
    files = {"requirements.txt": wheels_kit.REQUIREMENTS.encode(), wheels_kit.FILE: wheels_kit.wheel()}
    names = [work.start(PROGRAM, files=files), work.start(PROGRAM, {"": "literal"}, files=files)]
    done, failed = (work.ended(name) for name in names)
    assert done["TrainingJobStatus"] == "Completed", done.get("FailureReason")
    seen = json.loads(work.archive(done["ModelArtifacts"]["S3ModelArtifacts"])["model.json"])
    assert seen["answer"] == wheels_kit.ANSWER
    assert all(Path(seen[name]).is_relative_to(aws.home) for name in ("prefix", "home"))
    assert (
        failed["TrainingJobStatus"] == "Failed" and "Read-only file system: '/opt" in failed["FailureReason"]
    )
    assert os.path.exists("/opt/ml") == before
    (lines,) = work.log(names[0]).values()
    assert "does not allow namespaces" in lines[0] and "SM_*" in lines[0]


APP = """
import os
import embedded_aws_sample
from fastapi import FastAPI
from ray import serve

asgi = FastAPI()

@asgi.post("/")
async def predict():
    try:
        os.makedirs("/opt" + "/ml/model")
    except OSError as error:
        return {"answer": embedded_aws_sample.answer, "error": str(error), "model": os.environ["SM_MODEL_DIR"]}

@serve.deployment
@serve.ingress(asgi)
class App:
    pass

app = App.bind()
"""


def test_an_endpoint_has_packages_of_its_own_and_finds_its_model(aws: EmbeddedAws) -> None:
    hosting = Hosting(aws)
    files = {
        "code/app.py": APP,
        "code/requirements.txt": wheels_kit.REQUIREMENTS,
        f"code/{wheels_kit.FILE}": wheels_kit.wheel(),
    }
    hosting.model("open", hosting.put("open.tar.gz", files), isolated=False)
    hosting.config("open", variant("open"))
    described = hosting.endpoint("open", "open")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    answer = hosting.ask("open")
    hosting.delete_endpoints()
    assert answer["answer"] == wheels_kit.ANSWER and "Read-only file system" in answer["error"]
    assert Path(answer["model"]).is_relative_to(aws.home)


FUNCTION = """
import os

def handler(event, context):
    try:
        open(os.path.join(os.path.dirname(__file__), "new"), "w")
    except OSError as error:
        open(os.path.join(os.environ["TMPDIR"], "new"), "w").close()
        return str(error)
"""


def test_a_function_cannot_write_next_to_its_code(aws: EmbeddedAws) -> None:
    functions = Functions(aws)
    assert "Read-only file system" in functions.call(functions.create(FUNCTION))[0]
