"""An execution environment: a process that runs one version of a function, one invocation at a time."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.lambda_ import memory
from embedded_aws.services.lambda_.files import FunctionFiles
from embedded_aws.services.lambda_.output import Output
from embedded_aws.services.lambda_.runtime_api import Invocation, Outcome, RuntimeApi

INIT_SECONDS = 10.0
MEMORY_POLL_SECONDS = 0.05
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a function, as it was when the environment was created."""

    function: str
    """ARN of the function, without a version."""

    version: str

    handler: str

    runtime: str
    """Such as "python3.12"."""

    memory: int
    """MB."""

    timeout: int
    """Seconds."""

    files: FunctionFiles

    variables: dict[str, str] = field(repr=False)
    """The environment variables that all environments of the version have in common."""

    json_logs: bool = False


@dataclass(frozen=True, kw_only=True)
class Result:
    """How an invocation ended."""

    payload: bytes
    """What the handler returned, or the error document."""

    function_error: str
    """"Unhandled", or empty if the handler returned."""

    log_tail: bytes
    """The last 4 KB of the invocation's log."""

    duration: float
    """Seconds in the handler."""


class ExecutionEnvironment:
    """Call `start`, then `invoke` any number of times while it is not `dead`, finally `end`."""

    def __init__(
        self,
        version: Version,
        supervisor: Supervisor,
        scratch: Path,
        ship: Callable[[str, int, str], None],
        on_exit: Callable[[], None] = lambda: None,
    ) -> None:
        """scratch: folder for its /tmp.

        ship: called with (log stream, Unix milliseconds, message) for every log line.
        on_exit: called when the process has ended.
        """
        self.version = version
        self.created = self.used = time.monotonic()
        self.dead = False
        self.init_error: dict[str, Any] | None = None
        self.init_seconds = 0.0
        self._report_init = True
        self._peak_bytes = 0
        self._on_exit = on_exit
        self._supervisor, self._scratch = supervisor, scratch / uuid.uuid4().hex
        self.log_stream = f"{datetime.now(timezone.utc):%Y/%m/%d}/[{version.version}]{uuid.uuid4().hex}"
        self._output = Output(lambda at, line: ship(self.log_stream, at, line))
        self._initialize_again = False  # it failed: try again in the first invocation
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._api: RuntimeApi | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def function(self) -> str:
        return self.version.function

    def start(self, initialization_type: str = "on-demand", limit: float = INIT_SECONDS) -> None:
        """Start the process and wait until it requests its first invocation.

        If that fails or takes more than `limit` seconds, the first invocation tries again within the function's
        timeout, as on AWS. With provisioned concurrency there is no second try: `init_error` holds the error
        document and the environment is dead.
        """
        self.provisioned = initialization_type == "provisioned-concurrency"
        began = time.monotonic()
        self._log_runtime()
        self._scratch.mkdir(parents=True)
        outcome = self._initialize(limit)
        self.init_seconds = time.monotonic() - began
        if outcome is not None and outcome.kind == "ready":
            return
        error = self._init_failed("init", outcome, limit)
        if self.provisioned:
            self.init_error, self.dead = error, True
        else:
            self._initialize_again = True
            self._end_process()

    def _initialize(self, limit: float) -> Outcome | None:
        """Start a process. Returns its first outcome; None if there is none within `limit` seconds."""
        files = self.version.files
        temporary = files.temporary(self._scratch)
        outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._outcomes = outcomes
        self._api = RuntimeApi(outcomes.put)
        variables = {
            "HOME": temporary,
            "TMPDIR": temporary,
            **self.version.variables,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency" if self.provisioned else "on-demand",
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
        }
        command = [sys.executable, "-S", str(BOOTSTRAP), self.version.handler]
        self._process = self._supervisor.spawn(
            files.command(command, self._scratch), env=variables, cwd=files.task_root
        )
        assert self._process.stdout is not None
        self._output.attach(self._process.stdout)
        threading.Thread(target=self._wait, args=(self._process, outcomes), daemon=True).start()
        return self._next_outcome(limit)

    def _init_failed(self, phase: str, outcome: Outcome | None, seconds: float) -> dict[str, Any]:
        """Log a failed initialization. Returns the error document."""
        if outcome is None:
            self._output.write(self._init_report(phase, "timeout"))
            return {
                "errorType": "Sandbox.Timedout",
                "errorMessage": f"Initialization has timed out after {seconds:.2f} seconds",
            }
        error = self._init_document(outcome)
        self._output.write(self._init_report(phase, "error", error["errorType"]))
        return error

    def invoke(self, invocation: Invocation) -> Result:
        """Run one invocation. The function's errors are in the result. The environment may be `dead` afterwards."""
        self._output.begin()
        self._platform(
            "start", invocation, f"START RequestId: {invocation.request_id} Version: {self.version.version}"
        )
        began = time.monotonic()
        outcome = self._first_outcome(invocation)
        seconds = time.monotonic() - began
        if self.init_error is not None:
            document = {**self.init_error, "requestId": invocation.request_id}
            return self._finish(
                invocation,
                json.dumps(document).encode(),
                "Unhandled",
                seconds,
                "error",
                document["errorType"],
            )
        if outcome is None:
            seconds = float(self.version.timeout)
            message = f"Task timed out after {seconds:.2f} seconds"
            self._output.write(f"{_timestamp()} {invocation.request_id} {message}\n")
            return self._fail(invocation, "Sandbox.Timedout", message, seconds, "timeout")
        if outcome.kind == "exit":
            reason = outcome.body.decode()
            message = f"Runtime exited {reason}"
            self._output.write(f"RequestId: {invocation.request_id} Error: {message}\nRuntime.ExitError\n")
            return self._fail(invocation, "Runtime.ExitError", message, seconds, "error")
        if outcome.kind == "too_large":
            self.dead = True  # AWS's client exits on the response that it gets
            document = {
                "errorType": "Function.ResponseSizeTooLarge",
                "errorMessage": f"Response payload size ({outcome.body.decode()} bytes) exceeded maximum allowed"
                " payload size (6291556 bytes).",
            }
            return self._finish(invocation, json.dumps(document).encode(), "Unhandled", seconds)
        return self._finish(invocation, outcome.body, "Unhandled" if outcome.kind == "error" else "", seconds)

    def _first_outcome(self, invocation: Invocation) -> Outcome | None:
        """Return the outcome of an invocation; None at the timeout.

        Repeats a failed initialization first; if that fails too, `init_error` has the reason.
        """
        deadline = time.monotonic() + self.version.timeout
        if self._initialize_again:
            began, self._initialize_again, self.dead = time.monotonic(), False, False
            self._report_init = False  # its time is part of the invocation's duration
            outcome = self._initialize(self.version.timeout)
            self.init_seconds = time.monotonic() - began
            if outcome is None or outcome.kind != "ready":
                error = self._init_failed("invoke", outcome, self.version.timeout)
                if outcome is not None:
                    self.init_error, self.dead = error, True
                return outcome
        assert self._api is not None
        self._api.send(invocation)
        return self._next_outcome(deadline - time.monotonic(), invocation.request_id)

    def end(self) -> None:
        """End the process and its descendants, and remove the temporary files."""
        self.dead = True
        self._end_process()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _end_process(self) -> None:
        if self._api is not None:
            self._api.close()
        process, self._process = self._process, None
        if process is not None:
            self._supervisor.end(process, grace=0.3)
            self._output.detach()

    def _next_outcome(self, seconds: float, request_id: str = "") -> Outcome | None:
        """Return the next outcome of an invocation, or of the initialization if there is no request ID; None at the timeout."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                outcome = self._outcomes.get(timeout=min(left, MEMORY_POLL_SECONDS))
            except Empty:
                self._enforce_memory()
                continue
            is_of_invocation = outcome.kind != "ready" and outcome.request_id in ("", request_id)
            if is_of_invocation or not request_id:
                return outcome
        return None

    def _enforce_memory(self) -> None:
        assert self._process is not None
        limit = self.version.memory << 20
        used = memory.used(self._process.pid, limit)
        self._peak_bytes = max(self._peak_bytes, used)
        if used > limit:
            self._process.kill()  # `end` ends the rest of its process group

    def _wait(self, process: subprocess.Popen[bytes], outcomes: SimpleQueue[Outcome]) -> None:
        status = process.wait()
        if process is self._process:
            self.dead = True
        reason = (
            "without providing a reason"
            if status == 0
            else f"with error: exit status {status}"
            if status > 0
            else f"with error: signal: {'killed' if status == -9 else -status}"
        )
        outcomes.put(Outcome(kind="exit", body=reason.encode()))
        self._on_exit()

    def _fail(self, invocation: Invocation, kind: str, message: str, seconds: float, status: str) -> Result:
        self.dead = True
        document = {"errorType": kind, "errorMessage": f"RequestId: {invocation.request_id} Error: {message}"}
        payload = json.dumps(document, separators=(",", ":")).encode()
        return self._finish(
            invocation, payload, "Unhandled", seconds, status, kind if status == "error" else ""
        )

    def _finish(
        self,
        invocation: Invocation,
        payload: bytes,
        function_error: str,
        seconds: float,
        status: str = "",
        error_type: str = "",
    ) -> Result:
        self._output.pump()
        milliseconds = seconds * 1000
        init = self.init_seconds * 1000 if self._report_init and not self.provisioned else 0.0
        self._report_init = False
        billed = math.ceil(milliseconds + init)
        if self._process is not None:
            self._peak_bytes = max(self._peak_bytes, memory.peak(self._process.pid))
        used = min(self._peak_bytes >> 20, self.version.memory)
        report = (
            f"REPORT RequestId: {invocation.request_id}\tDuration: {milliseconds:.2f} ms\t"
            f"Billed Duration: {billed} ms\tMemory Size: {self.version.memory} MB\tMax Memory Used: {used} MB\t"
        )
        report += f"Init Duration: {init:.2f} ms\t" if init else ""
        report += f"Status: {status}\t" if status else ""
        report += f"Error Type: {error_type}" if error_type else ""
        metrics = {
            "durationMs": round(milliseconds, 3),
            "billedDurationMs": billed,
            "memorySizeMB": self.version.memory,
            "maxMemoryUsedMB": used,
        }
        if init:
            metrics["initDurationMs"] = round(init, 3)
        if not self.version.json_logs:
            self._output.write(f"END RequestId: {invocation.request_id}\n")
        self._platform("report", invocation, report, metrics=metrics, status=status or "success")
        self.used = time.monotonic()
        return Result(
            payload=payload, function_error=function_error, log_tail=self._output.tail(), duration=seconds
        )

    def _platform(self, kind: str, invocation: Invocation, text: str, **record: Any) -> None:
        """Log a line of Lambda's, in the function's log format."""
        if self.version.json_logs:
            record = {"requestId": invocation.request_id, "version": self.version.version, **record}
            text = json.dumps({"time": _timestamp(), "type": f"platform.{kind}", "record": record})
        self._output.write(text + "\n")

    def _log_runtime(self) -> None:
        mine = "python{}.{}".format(*sys.version_info)
        note = (
            ""
            if self.version.runtime == mine
            else f"\tThe embedded AWS runs {self.version.runtime} functions on {mine}"
        )
        self._output.write(
            "INIT_START Runtime Version: python:{}.{}.{}".format(*sys.version_info) + note + "\n"
        )

    def _init_report(self, phase: str, status: str, error_type: str = "") -> str:
        suffix = f"\tError Type: {error_type}" if error_type else ""
        milliseconds = self.init_seconds * 1000
        return f"INIT_REPORT Init Duration: {milliseconds:.2f} ms\tPhase: {phase}\tStatus: {status}{suffix}\n"

    def _init_document(self, outcome: Outcome) -> dict[str, Any]:
        if outcome.kind == "init_error":
            document = json.loads(outcome.body)
            return dict(json.loads(document) if isinstance(document, str) else document)
        return {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"Error: Runtime exited {outcome.body.decode()}",
        }


def _timestamp() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
