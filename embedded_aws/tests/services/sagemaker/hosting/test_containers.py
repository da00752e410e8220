"""Containers of endpoints: the paths of AWS, requirements of the model, and what they cannot change."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wheels_kit
from embedded_aws.processes.isolation.container import refusal
from embedded_aws.processes.supervisor import Supervisor
from hosting_kit import Hosting, variant

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(refusal(Supervisor())), reason="this system does not allow namespaces"),
]

REQUIREMENTS = f"--no-index\n--find-links /opt/ml/model/code/wheels\n{wheels_kit.NAME}\n"
APP = """
import os
import embedded_aws_sample
from fastapi import FastAPI, Request
from ray import serve

asgi = FastAPI()
weights = open("/opt/ml/model/weights").read()  # as in many programs, a literal path

@asgi.post("/")
async def predict(request: Request):
    written = []
    for path in (await request.body()).decode().split():
        try:
            open(path + "/intruder", "x").close()
            written.append(path)
        except OSError:
            pass
    return {"answer": embedded_aws_sample.answer, "weights": weights, "written": written,
            "directory": os.getcwd(), "model": os.environ["SM_MODEL_DIR"], "pid": os.getpid()}

@serve.deployment
@serve.ingress(asgi)
class App:
    pass

app = App.bind()
"""


@pytest.fixture(scope="module")
def aws(embedded_aws) -> Iterator[Hosting]:
    running = Hosting(embedded_aws)
    files = {
        "weights": "w",
        "code/app.py": APP,
        "code/requirements.txt": REQUIREMENTS,
        f"code/{wheels_kit.FILE}": wheels_kit.wheel(),
    }
    running.model("contained", running.put("models#1/contained?.tar.gz", files))
    running.config("contained", variant("contained", count=2))
    running.endpoint("contained", "contained")
    yield running
    running.delete_endpoints()


def test_a_model_finds_its_files_and_requirements_and_changes_nothing_else(aws: Hosting) -> None:
    described = aws.sagemaker.describe_endpoint(EndpointName="contained")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    private = ["/tmp", "/var/tmp", "/root", "/home", "/opt/ml"]
    others = [
        "/opt/ml/model",
        "/opt/ml/model/code",
        "/opt/packages",
        packages,
        str(aws.aws.home),
        "/",
        "/etc",
    ]
    body = " ".join([*private, *others]).encode()
    by_process: dict[int, dict] = {}  # the first answer of each of the two containers

    def both_answered() -> bool:
        answer = aws.ask("contained", body)
        by_process.setdefault(answer["pid"], answer)
        return len(by_process) == 2

    aws.until(both_answered)
    for answer in by_process.values():
        assert (answer["answer"], answer["weights"]) == (wheels_kit.ANSWER, "w")
        assert answer["directory"] == answer["model"] == "/opt/ml/model"
        assert answer["written"] == private  # neither sees what the other one has written
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version(wheels_kit.NAME)
    assert not (Path(packages) / "intruder").exists()
