"""The serving container's program and its replacement for ray.serve, as processes."""

import http.client
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embedded_aws.services.sagemaker.hosting import serving_container

ROOT = Path(serving_container.__file__).parent

HEAD = """
from fastapi import FastAPI, Request, Response
from ray import serve
asgi = FastAPI()

@asgi.post("/")
async def predict(request: Request):
    return {"path": request.url.path, "size": len(await request.body())}
"""
TAIL = """
@serve.deployment
@serve.ingress(asgi)
class App:
    pass
app = App.bind()
"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess:
    """Run code with the replacement for Ray first on the path."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'shims'}{os.pathsep}{folder}"}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


@pytest.fixture
def container(tmp_path):
    processes = []

    def start(app: str, target: str = "app:app") -> tuple[subprocess.Popen, int]:
        (tmp_path / "app.py").write_text(app)
        (tmp_path / "processes.py").write_text("MINE = True\n")  # also a package of embedded_aws
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "serving_container.py")],
            env={
                **os.environ,
                "PYTHONPATH": str(tmp_path),
                "SM_RAYSERVE_APP": target,
                "SAGEMAKER_BIND_TO_PORT": str(port),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        return process, port

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def ready(process: subprocess.Popen, port: int) -> int:
    """Return the status of the first response to /ping."""
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        try:
            return ask(port, "GET", "/ping")[0]
        except OSError:
            time.sleep(0.05)


def test_invocations_call_the_root_of_the_application(container):
    process, port = container(HEAD + "import processes\nassert processes.MINE\n" + TAIL)
    assert ready(process, port) == 200  # without a health route, a loaded application is healthy
    assert ask(port, "POST", "/invocations", b"abc") == (200, b'{"path":"/","size":3}')
    assert ask(port, "GET", "/invocations")[0] == 404
    assert ask(port, "POST", "/other")[0] == 404


def test_ping_calls_the_health_route_of_the_application(container):
    route = '@asgi.get("/healthz")\ndef health():\n    return Response(status_code=503)\n'
    assert ready(*container(HEAD + route + TAIL)) == 503


def test_application_that_cannot_be_loaded_ends_the_container(container):
    process, _ = container("raise RuntimeError('no model')")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1 and "no model" in output


@pytest.mark.parametrize(
    "code, message",
    [
        ("import ray; ray.init()", "ray.init is not available"),
        ("from ray import serve; serve.run(None)", "ray.serve.run is not available"),
        (
            "from ray import serve\n@serve.deployment\nclass A: pass\nA.bind().build()",
            "A has no @serve.ingress",
        ),
        (
            "from ray import serve\n@serve.deployment\nclass A: pass\nA.bind(A.bind())",
            "cannot take other deployments",
        ),
        (
            "from fastapi import FastAPI\nfrom ray import serve\nasgi = FastAPI()\n"
            "@serve.ingress(asgi)\nclass A:\n    @asgi.post('/')\n    def predict(self): pass",
            "is a method of A",
        ),
    ],
)
def test_unsupported_features_of_ray_are_refused(tmp_path, code, message):
    result = python(code, tmp_path)
    assert result.returncode == 1 and message in result.stderr


def test_bound_arguments_and_options_reach_the_deployment(tmp_path):
    code = (
        "from ray import serve\n"
        "async def asgi(scope, receive, send): pass\n"
        "@serve.deployment(num_replicas=2)\n@serve.ingress(asgi)\n"
        "class A:\n    def __init__(self, *args, **kwargs): print(args, kwargs)\n"
        "application = A.options(name='other').bind(1, two=2)\n"
        "assert application.build() is asgi\n"
        "print(application.deployment.name, application.deployment.settings)"
    )
    assert python(code, tmp_path).stdout.splitlines() == [
        "(1,) {'two': 2}",
        "other {'num_replicas': 2, 'name': 'other'}",
    ]
