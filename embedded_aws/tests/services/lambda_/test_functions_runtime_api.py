"""The Runtime API, execution environments and the pool, without a server."""

import http.client
import json
import re
import sys
import threading
import time
from queue import SimpleQueue

import pytest

from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.lambda_ import code, environment, pool
from embedded_aws.services.lambda_.code import python_path
from embedded_aws.services.lambda_.environment import ExecutionEnvironment, Version
from embedded_aws.services.lambda_.exceptions import TooManyRequestsException
from embedded_aws.services.lambda_.pool import Limits, Pool, PooledVersion
from embedded_aws.services.lambda_.runtime_api import PREFIX, Invocation, RuntimeApi

PROVISIONED = "provisioned-concurrency"


def invocation(payload=b"{}", request_id="r-1", seconds=3.0):
    return Invocation(
        request_id=request_id,
        function_arn="arn:aws:lambda:us-east-1:123456789012:function:f",
        payload=payload,
        deadline_ms=int((time.time() + seconds) * 1000),
    )


@pytest.fixture
def api():
    outcomes = SimpleQueue()
    api = RuntimeApi(outcomes.put)
    api.outcomes = outcomes
    yield api
    api.close()


def test_api_hands_out_an_event_and_takes_its_answer(api):
    client = http.client.HTTPConnection(api.address, timeout=5)
    api.send(invocation(b'{"a": 1}'))
    client.request("GET", PREFIX + "invocation/next")
    answer = client.getresponse()
    assert answer.read() == b'{"a": 1}'
    assert answer.headers["Lambda-Runtime-Aws-Request-Id"] == "r-1"
    assert int(answer.headers["Lambda-Runtime-Deadline-Ms"]) > time.time() * 1000
    assert answer.headers["Lambda-Runtime-Invoked-Function-Arn"].endswith(":function:f")
    client.request("POST", PREFIX + "invocation/r-1/response", b"42")
    assert client.getresponse().status == 202
    assert api.outcomes.get(timeout=5).kind == "ready"
    outcome = api.outcomes.get(timeout=5)
    assert (outcome.kind, outcome.request_id, outcome.body) == ("response", "r-1", b"42")


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_api_serves_no_web_page(api, headers):
    client = http.client.HTTPConnection(api.address, timeout=5)
    api.send(invocation())
    client.request("GET", PREFIX + "invocation/next", headers=headers)
    assert client.getresponse().status == 403
    assert api.outcomes.empty()


def test_api_reports_a_failed_initialisation_before_its_client_may_exit(api):
    client = http.client.HTTPConnection(api.address, timeout=5)
    for _ in range(20):
        client.request("POST", PREFIX + "init/error", b"{}")
        client.getresponse().read()
        assert api.outcomes.get_nowait().kind == "init_error"


def test_api_lets_go_of_a_waiting_client_when_it_closes(api, until):
    client = http.client.HTTPConnection(api.address, timeout=5)
    client.request("GET", PREFIX + "invocation/next")
    assert api.outcomes.get(timeout=5).kind == "ready"
    api.close()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        client.getresponse()

    def is_refused() -> bool:
        try:
            http.client.HTTPConnection(api.address, timeout=5).connect()
        except ConnectionError:
            return True
        return False

    until(is_refused)


@pytest.fixture
def launch(tmp_path):
    """Starts an environment with a handler's source; `lines` of the log are gathered on it."""
    supervisor = Supervisor()
    runtime_dir = code.runtime_folder(tmp_path / "runtime")

    def start(source, timeout=3, memory=512, init_limit=environment.INIT_SECONDS, kind="on-demand"):
        task_root = tmp_path / f"task-{time.monotonic_ns()}"
        task_root.mkdir()
        (task_root / "handler.py").write_text(source)
        lines = []
        made = ExecutionEnvironment(
            Version(
                function="arn:f",
                version="1",
                handler="handler.handler",
                runtime="python3.12",
                memory=memory,
                timeout=timeout,
                task_root=task_root,
                variables={
                    "LAMBDA_TASK_ROOT": str(task_root),
                    "LAMBDA_RUNTIME_DIR": str(runtime_dir),
                    "PYTHONPATH": python_path(runtime_dir, [], "python3.12"),
                    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
                },
            ),
            supervisor,
            tmp_path / "scratch",
            lambda stream, at, line: lines.append(line),
        )
        made.lines = lines
        made.start(kind, init_limit)
        return made

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


def test_environment_reports_an_exception_with_its_trace_and_lives_on(launch):
    warm = launch("def handler(event, context):\n    print('before')\n    raise KeyError(event)\n")
    result = warm.invoke(invocation(b'"k"'))
    error = json.loads(result.payload)
    assert result.function_error == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'k'")
    assert "raise KeyError(event)" in "".join(error["stackTrace"])
    tail = result.log_tail.decode()
    assert tail.index("START") < tail.index("before") < tail.index("[ERROR] KeyError") < tail.index("END ")
    assert not warm.dead


def test_environment_times_out_in_the_words_of_aws(launch):
    slow = launch("import time\ndef handler(event, context): time.sleep(60)\n", timeout=1)
    began = time.monotonic()
    result = slow.invoke(invocation(request_id="r-9"))
    assert 0.9 < time.monotonic() - began < 3
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
def test_environment_tells_how_its_process_ended(launch, body, reason):
    gone = launch(f"def handler(event, context):\n    {body}\n")
    error = json.loads(gone.invoke(invocation()).payload)
    assert error == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: r-1 Error: {reason}"}
    assert gone.dead


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit needs /proc")
def test_environment_is_killed_above_its_memory(launch):
    hog = launch(
        "def handler(event, context): x = bytearray(300 << 20); return len(x)\n", memory=128, timeout=20
    )
    result = hog.invoke(invocation())
    if result.function_error:  # it may be done before it is looked at
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
def test_memory_of_children_counts(launch):
    hog = launch(CHILD, memory=128, timeout=20)
    result = hog.invoke(invocation())
    assert "signal: killed" in json.loads(result.payload)["errorMessage"]
    assert b"Max Memory Used: 128 MB" in result.log_tail


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit needs /proc")
def test_memory_that_forked_children_share_counts_once(launch):
    shared = launch(FORKS, memory=256, timeout=20)
    result = shared.invoke(invocation(b"1"))
    assert result.payload == b"2"
    assert 150 <= int(re.search(rb"Max Memory Used: (\d+) MB", result.log_tail)[1]) < 256


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import torch\n", "Runtime.ImportModuleError"),  # not in AWS's runtime either
        ("def handler(\n", "Runtime.UserCodeSyntaxError"),
        ("other = 1\n", "Runtime.HandlerNotFound"),
        ("import os; os._exit(7)\n", "Runtime.ExitError"),
    ],
)
def test_environment_that_cannot_initialise_answers_with_the_reason(launch, source, kind):
    broken = launch(source)
    result = broken.invoke(invocation())
    assert result.function_error == "Unhandled"
    assert json.loads(result.payload)["errorType"] == kind
    phases = [line.split("\t")[1:3] for line in broken.lines if line.startswith("INIT_REPORT")]
    assert phases == [["Phase: init", "Status: error"], ["Phase: invoke", "Status: error"]]
    assert broken.dead


SLOW_ONCE = """
import os, time
print("initialising")
marker = os.environ["HOME"] + "/seen"
if not os.path.exists(marker):
    open(marker, "w").close()
    time.sleep(60)
def handler(event, context): return os.getpid()
"""


def test_slow_initialisation_is_begun_again_in_the_first_invocation(launch):
    slow = launch(SLOW_ONCE, init_limit=0.5)
    assert any("INIT_REPORT" in line and "Phase: init\tStatus: timeout" in line for line in slow.lines)
    first, second = (json.loads(slow.invoke(invocation(request_id=f"r-{i}")).payload) for i in (1, 2))
    assert first == second and not slow.dead
    assert slow.lines.count("initialising\n") == 2
    assert not any("Init Duration" in line for line in slow.lines if line.startswith("REPORT"))


def test_initialisation_that_stays_slow_ends_by_the_functions_timeout(launch):
    slow = launch("import time; time.sleep(60)\ndef handler(e, c): pass\n", timeout=1, init_limit=0.2)
    result = slow.invoke(invocation(request_id="r-9"))
    assert (
        json.loads(result.payload)["errorMessage"]
        == "RequestId: r-9 Error: Task timed out after 1.00 seconds"
    )
    assert b"Phase: invoke\tStatus: timeout" in result.log_tail and slow.dead


def test_provisioned_concurrency_that_initialises_too_slowly_fails(launch):
    slow = launch("import time; time.sleep(60)\ndef handler(e, c): pass\n", init_limit=0.2, kind=PROVISIONED)
    assert slow.dead and "timed out after 0.20 seconds" in slow.init_error["errorMessage"]


def test_response_above_the_limit_is_an_error(launch):
    big = launch("def handler(event, context): return 'x' * 6291556\n")
    error = json.loads(big.invoke(invocation()).payload)
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert "6291558 bytes" in error["errorMessage"]


class FakeEnvironment:
    """As much of an environment as the pool touches."""

    def __init__(self, fails=False):
        self.function, self.dead, self.ended, self.provisioned = "f", False, threading.Event(), False
        self.created = self.used = time.monotonic()
        self.init_error = {"errorMessage": "no"} if fails else None
        self.version = type("V", (), {"timeout": 3})

    def start(self, initialization_type="on-demand", limit=0.0):
        self.provisioned = initialization_type == "provisioned-concurrency"

    def end(self):
        self.dead = True
        self.ended.set()


FREE = Limits(reserved=None, reserved_by_all=0)


@pytest.fixture
def versions():
    return {}


@pytest.fixture
def keeper(versions):
    keeper = Pool(lambda: dict(versions))
    keeper.start()
    yield keeper
    keeper.close()


def wanted(provisioned=0, launch=FakeEnvironment):
    return PooledVersion(function="f", launch=launch, provisioned=provisioned)


def test_pool_reuses_a_warm_environment_and_runs_one_request_at_a_time(keeper, versions):
    versions["f:1"] = wanted()
    first = keeper.acquire("f:1", versions["f:1"], FREE)
    second = keeper.acquire("f:1", versions["f:1"], FREE)
    assert first is not second
    keeper.release("f:1", first)
    assert keeper.acquire("f:1", versions["f:1"], FREE) is first
    assert keeper.in_use("f") == 2


def test_pool_throttles_at_the_reserved_concurrency(keeper, versions):
    versions["f:1"] = wanted()
    limits = Limits(reserved=1, reserved_by_all=0)
    only = keeper.acquire("f:1", versions["f:1"], limits)
    with pytest.raises(TooManyRequestsException) as refused:
        keeper.acquire("f:1", versions["f:1"], limits)
    assert refused.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    keeper.release("f:1", only)
    assert keeper.acquire("f:1", versions["f:1"], limits) is only


def test_pool_throttles_at_the_account_limit(keeper, versions, monkeypatch):
    monkeypatch.setattr(pool, "ACCOUNT_CONCURRENCY", 2)
    versions["f:1"] = wanted()
    for _ in range(2):
        keeper.acquire("f:1", versions["f:1"], FREE)
    with pytest.raises(TooManyRequestsException) as refused:
        keeper.acquire("f:1", versions["f:1"], FREE)
    assert refused.value.reason == "ConcurrentInvocationLimitExceeded"


def test_pool_ends_environments_of_versions_that_are_gone(keeper, versions):
    versions["f:1"] = wanted()
    warm = keeper.acquire("f:1", versions["f:1"], FREE)
    keeper.release("f:1", warm)
    versions.clear()
    keeper.changed()
    assert warm.ended.wait(5)


def test_pool_keeps_no_more_than_a_few_idle_environments(keeper, versions, monkeypatch):
    monkeypatch.setattr(pool, "MAX_IDLE", 2)
    versions["f:1"] = wanted()
    busy = [keeper.acquire("f:1", versions["f:1"], FREE) for _ in range(3)]
    for age, one in enumerate(reversed(busy)):
        one.used = time.monotonic() - age
        keeper.release("f:1", one)
    assert busy[0].ended.wait(5)
    assert not busy[1].dead and not busy[2].dead


def test_pool_ends_what_has_been_idle_for_long(keeper, versions, monkeypatch):
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.2)
    versions["f:1"] = wanted()
    warm = keeper.acquire("f:1", versions["f:1"], FREE)
    warm.used = time.monotonic()
    keeper.release("f:1", warm)
    assert warm.ended.wait(5)


def test_pool_keeps_provisioned_environments_and_replaces_dead_ones(keeper, versions, until):
    versions["f:1"] = wanted(2)
    keeper.changed()
    until(lambda: keeper.provisioned("f:1") == (2, 2, ""))
    taken = keeper.acquire("f:1", versions["f:1"], Limits(reserved=2, reserved_by_all=0))
    assert taken.provisioned
    assert keeper.provisioned("f:1") == (2, 1, "")
    taken.dead = True
    keeper.release("f:1", taken)
    assert taken.ended.wait(5)
    keeper.changed()  # as the end of a process does
    until(lambda: keeper.provisioned("f:1") == (2, 2, ""))
    versions["f:1"] = wanted(0)
    keeper.changed()
    until(lambda: keeper.provisioned("f:1")[0] == 0)


def test_pool_tells_why_provisioning_failed(keeper, versions, until):
    versions["f:1"] = wanted(1, lambda: FakeEnvironment(fails=True))
    keeper.changed()
    until(lambda: keeper.provisioned("f:1")[2])
    assert keeper.provisioned("f:1") == (0, 0, "FUNCTION_ERROR_INIT_FAILURE: no")
