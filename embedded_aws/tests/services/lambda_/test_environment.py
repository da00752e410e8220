"""Execution environments, without a server."""

from __future__ import annotations

import json
import re
import socket
import sys
import time

import pytest

from embedded_aws.processes.isolation.container import refusal
from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.lambda_ import code
from embedded_aws.services.lambda_.environment import ExecutionEnvironment, Version
from embedded_aws.services.lambda_.files import FunctionFiles
from invocations_kit import invocation

pytestmark = pytest.mark.slow  # starts processes

PROVISIONED = "provisioned-concurrency"


@pytest.fixture
def launch(tmp_path):
    """Start an environment with a handler's source. Its attribute `lines` has the lines of the log."""
    supervisor = Supervisor()
    runtime_dir = code.runtime_folder(tmp_path / "runtime")

    def start(source, timeout=20, memory=512, init_limit=60.0, kind="on-demand", storage=512, isolated=True):
        task_root = tmp_path / f"task-{time.monotonic_ns()}"
        task_root.mkdir()
        (task_root / "handler.py").write_text(source)
        files = FunctionFiles(
            task_root=task_root,
            runtime_dir=runtime_dir,
            layers=[],
            merged_layers=None,
            storage=storage,
            home=tmp_path / "home",
            isolated=not refusal(supervisor) and isolated,
        )
        lines = []
        created = ExecutionEnvironment(
            Version(
                function="arn:f",
                version="1",
                handler="handler.handler",
                runtime="python3.12",
                memory=memory,
                timeout=timeout,
                files=files,
                variables={**files.variables("python3.12"), "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"},
            ),
            supervisor,
            tmp_path / "scratch",
            lambda stream, at, line: lines.append(line),
        )
        created.lines = lines
        created.start(kind, init_limit)
        return created

    yield start
    supervisor.end_all()


def test_environment_keeps_its_state_between_invocations(launch):
    warm = launch("n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return [n, event]\n")
    answers = [json.loads(warm.invoke(invocation(b'"x"', f"r-{i}")).payload) for i in (1, 2)]
    assert answers == [[1, "x"], [2, "x"]]
    reports = [line for line in warm.lines if line.startswith("REPORT")]
    assert ["Init Duration" in report for report in reports] == [True, False]
    assert warm.lines[0].startswith("INIT_START")
    warm.end()


def test_environment_survives_an_exception_of_the_handler(launch):
    warm = launch("def handler(event, context):\n    print('before')\n    raise KeyError(event)\n")
    result = warm.invoke(invocation(b'"k"'))
    error = json.loads(result.payload)
    assert result.function_error == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'k'")
    assert "raise KeyError(event)" in "".join(error["stackTrace"])
    tail = result.log_tail.decode()
    assert tail.index("START") < tail.index("before") < tail.index("[ERROR] KeyError") < tail.index("END ")
    assert not warm.dead


def test_timeout_has_the_error_message_of_aws(launch):
    slow = launch("import time\ndef handler(event, context): time.sleep(60)\n", timeout=1)
    began = time.monotonic()
    result = slow.invoke(invocation(request_id="r-9"))
    assert 0.9 < time.monotonic() - began < 30
    assert json.loads(result.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: r-9 Error: Task timed out after 1.00 seconds",
    }
    assert b"r-9 Task timed out after 1.00 seconds" in result.log_tail
    assert b"Status: timeout" in result.log_tail
    assert slow.dead


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import os; os._exit(3)", "Runtime exited with error: exit status 3"),
        ("import os; os._exit(0)", "Runtime exited without providing a reason"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "Runtime exited with error: signal: killed",
        ),
    ],
)
def test_error_names_the_exit_status_of_the_process(launch, body, reason):
    gone = launch(f"def handler(event, context):\n    {body}\n")
    error = json.loads(gone.invoke(invocation()).payload)
    assert error == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: r-1 Error: {reason}"}
    assert gone.dead


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit needs /proc")
def test_process_above_the_memory_limit_is_killed(launch):
    hog = launch(
        "def handler(event, context): x = bytearray(300 << 20); return len(x)\n", memory=128, timeout=20
    )
    result = hog.invoke(invocation())
    if result.function_error:  # it may end before the memory is measured
        assert "signal: killed" in json.loads(result.payload)["errorMessage"]
        assert b"Max Memory Used: 128 MB" in result.log_tail
    steady = launch(
        "import time\nx = None\ndef handler(event, context):\n    global x\n"
        "    x = bytearray(300 << 20); time.sleep(5)\n",
        memory=128,
        timeout=20,
    )
    assert "signal: killed" in json.loads(steady.invoke(invocation()).payload)["errorMessage"]


CHILD = """
import subprocess, sys
def handler(event, context):
    hog = "import time; x = bytearray(300 << 20); print(len(x), flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-S", "-c", hog], stdout=subprocess.PIPE)
    child.stdout.readline()
    child.wait()
"""


FORKS = """
import os, time
x = bytearray(b"x") * (150 << 20)
def handler(event, context):
    children = [os.fork() for _ in range(2)] if event else []
    if 0 in children:
        time.sleep(60)
    time.sleep(0.4)
    return len(children)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit needs /proc")
def test_memory_limit_includes_child_processes(launch):
    hog = launch(CHILD, memory=128, timeout=20)
    result = hog.invoke(invocation())
    assert "signal: killed" in json.loads(result.payload)["errorMessage"]
    assert b"Max Memory Used: 128 MB" in result.log_tail


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit needs /proc")
def test_shared_memory_of_forked_children_counts_once(launch):
    shared = launch(FORKS, memory=256, timeout=20)
    result = shared.invoke(invocation(b"1"))
    assert result.payload == b"2"
    assert 150 <= int(re.search(rb"Max Memory Used: (\d+) MB", result.log_tail)[1]) < 256


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import torch\n", "Runtime.ImportModuleError"),  # not in AWS's runtime
        ("def handler(\n", "Runtime.UserCodeSyntaxError"),
        ("other = 1\n", "Runtime.HandlerNotFound"),
        ("import os; os._exit(7)\n", "Runtime.ExitError"),
    ],
)
def test_invocation_returns_the_error_of_a_failed_initialization(launch, source, kind):
    broken = launch(source)
    result = broken.invoke(invocation())
    assert result.function_error == "Unhandled"
    assert json.loads(result.payload)["errorType"] == kind
    phases = [line.split("\t")[1:3] for line in broken.lines if line.startswith("INIT_REPORT")]
    assert phases == [["Phase: init", "Status: error"], ["Phase: invoke", "Status: error"]]
    assert broken.dead


SLOW_ONCE = """
import os, socket
print("initializing")
try:
    socket.create_connection(("127.0.0.1", PORT)).recv(1)
except ConnectionError:
    pass  # nobody listens any more
def handler(event, context): return os.getpid()
"""


def test_slow_initialization_is_repeated_in_the_first_invocation(launch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = launch(SLOW_ONCE.replace("PORT", str(silent.getsockname()[1])), init_limit=0.5)
    assert any("INIT_REPORT" in line and "Phase: init\tStatus: timeout" in line for line in slow.lines)
    first, second = (json.loads(slow.invoke(invocation(request_id=f"r-{i}")).payload) for i in (1, 2))
    assert first == second and not slow.dead
    assert "initializing\n" in slow.lines
    assert not any("Init Duration" in line for line in slow.lines if line.startswith("REPORT"))


def test_repeated_slow_initialization_ends_at_the_function_timeout(launch):
    slow = launch("import time; time.sleep(60)\ndef handler(e, c): pass\n", timeout=1, init_limit=0.2)
    result = slow.invoke(invocation(request_id="r-9"))
    assert (
        json.loads(result.payload)["errorMessage"]
        == "RequestId: r-9 Error: Task timed out after 1.00 seconds"
    )
    assert b"Phase: invoke\tStatus: timeout" in result.log_tail and slow.dead


def test_slow_initialization_fails_provisioned_concurrency(launch):
    slow = launch("import time; time.sleep(60)\ndef handler(e, c): pass\n", init_limit=0.2, kind=PROVISIONED)
    assert slow.dead and "timed out after 0.20 seconds" in slow.init_error["errorMessage"]


def test_response_above_the_limit_is_an_error(launch):
    big = launch("def handler(event, context): return 'x' * 6291556\n")
    error = json.loads(big.invoke(invocation()).payload)
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert "6291558 bytes" in error["errorMessage"]


WRITE = """
import os

def handler(event, context):
    written = []
    for path in event:
        try:
            with open(os.path.join(path, "new"), "w") as file:
                file.write("x")
            written.append(path)
        except OSError as error:
            assert error.errno == 30, error  # Read-only file system
    return [written, os.getcwd(), __file__, os.listdir("/home")]
"""
isolated_only = pytest.mark.skipif(
    bool(refusal(Supervisor())), reason="this system does not allow namespaces"
)


@isolated_only
def test_only_tmp_is_writable(launch, tmp_path):
    paths = ["/var/task", "/var/runtime", "/", "/usr", str(tmp_path.parent), "/tmp"]
    written, directory, file, _ = json.loads(
        launch(WRITE).invoke(invocation(json.dumps(paths[:4] + paths[5:]).encode())).payload
    )
    assert (written, directory, file) == (["/tmp"], "/var/task", "/var/task/handler.py")
    assert not (tmp_path / "new").exists()


def test_without_namespaces_python_writes_to_the_temporary_folder_only(launch):
    function = launch(WRITE.replace("/home", "."), isolated=False)
    code, own = str(function.version.files.task_root), str(function._scratch)
    event = json.dumps([code, "/", own]).encode()
    assert json.loads(function.invoke(invocation(event)).payload)[0] == [own]


@isolated_only
def test_tmp_is_as_large_as_the_ephemeral_storage(launch):
    source = """
def handler(event, context):
    try:
        with open("/tmp/large", "wb", buffering=0) as file:
            for _ in range(event):
                file.write(bytes(1 << 20))
    except OSError as error:
        return str(error)
"""
    function = launch(source, storage=8)
    answers = [json.loads(function.invoke(invocation(str(n).encode())).payload) for n in (7, 9)]
    assert answers == [None, "[Errno 28] No space left on device"]


def test_layers_are_merged_and_later_ones_win(tmp_path):
    for name, files in {"one": ("python/a.py", "bin/tool"), "two": ("python/a.py", "python/b.py")}.items():
        for file in files:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
    layers = [tmp_path / "one", tmp_path / "two"]
    merged = code.merge(layers, tmp_path)
    found = {str(p.relative_to(merged)): p.read_text() for p in merged.rglob("*") if p.is_file()}
    assert found == {"python/a.py": "two", "bin/tool": "one", "python/b.py": "two"}
    assert (layers[0] / "python/a.py").read_text() == "one"
    assert code.merge(layers, tmp_path) == merged
    assert (code.merge(layers[:1], tmp_path), code.merge([], tmp_path)) == (layers[0], None)
