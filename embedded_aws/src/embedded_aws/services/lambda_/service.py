"""Lambda's data plane: from a name and an event to a running environment and back."""

from __future__ import annotations

import copy
import json
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.processes.log_shipper import LogShipper, Stream
from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_ import code
from embedded_aws.services.lambda_.asynchronous import Events
from embedded_aws.services.lambda_.backend import LATEST, EmbeddedLambdaBackend, Target
from embedded_aws.services.lambda_.environment import ExecutionEnvironment, Version, python_path
from embedded_aws.services.lambda_.exceptions import (
    InvalidRequestContentException,
    RequestTooLargeException,
    RoleCannotBeAssumed,
    TooManyRequestsException,
)
from embedded_aws.services.lambda_.function import EmbeddedFunction
from embedded_aws.services.lambda_.metrics import Metrics
from embedded_aws.services.lambda_.pool import Limits, Pool, Wanted
from embedded_aws.services.lambda_.runtime_api import Invocation

SERVICE = "lambda.amazonaws.com"
MAX_PAYLOAD_BYTES = 6_291_456
MAX_EVENT_BYTES = 1_048_576


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Of a synchronous invocation. function_error: "Unhandled" or empty."""

    payload: bytes
    function_error: str
    executed_version: str
    request_id: str
    log_tail: bytes


class LambdaService:
    """Runs functions. `start` after the state is loaded, `stop` before the processes are ended."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.pool = Pool(self._versions)
        self.metrics = Metrics(runtime)
        self.logs = LogShipper(runtime, "lambda-logs")
        self.events = Events(self)

    def start(self) -> None:
        self._code = self.runtime.folder("functions", "code")
        self._scratch = self.runtime.folder("functions", "environments")
        self._runtime_dir = code.runtime_folder(self.runtime.folder("functions", "runtime"))
        self.pool.start()
        self.events.resume()

    def stop(self) -> None:
        self.pool.close()
        self.metrics.flush()

    def backend(self, region: str) -> EmbeddedLambdaBackend:
        from moto.awslambda.models import lambda_backends

        return lambda_backends[ACCOUNT_ID][region]  # type: ignore[return-value]

    def backends(self) -> list[EmbeddedLambdaBackend]:
        from moto.awslambda.models import lambda_backends

        return list(lambda_backends[ACCOUNT_ID].values())  # type: ignore[arg-type]

    def check_role(self, role_arn: str, region: str) -> None:
        """Raises InvalidParameterValueException unless Lambda may assume the role."""
        try:
            self.runtime.assume(role_arn, SERVICE, region, "awslambda")
        except RoleNotAssumable as error:
            raise InvalidParameterValueException(RoleCannotBeAssumed().message) from error

    def invoke(
        self,
        region: str,
        reference: str,
        qualifier: str | None,
        payload: bytes,
        client_context: str = "",
        request_id: str = "",
    ) -> Answer:
        """Run a function and wait. payload: JSON, empty for null.

        Raises UnknownFunctionException, RequestTooLargeException, InvalidRequestContentException,
        TooManyRequestsException, RoleCannotBeAssumed.
        """
        target = self.check(region, reference, qualifier, payload, "RequestResponse")
        return self.run(region, target, payload, request_id or str(uuid.uuid4()), client_context)

    def check(
        self, region: str, reference: str, qualifier: str | None, payload: bytes, invocation_type: str
    ) -> Target:
        """The version to run, if the request is one that Lambda takes."""
        target = self.backend(region).resolve(reference, qualifier)
        limit = MAX_EVENT_BYTES if invocation_type == "Event" else MAX_PAYLOAD_BYTES
        if len(payload) > limit:
            raise RequestTooLargeException(len(payload), invocation_type, limit)
        try:
            json.loads(payload or b"null")
        except ValueError as error:
            raise InvalidRequestContentException(
                f"Could not parse request body into json: {error}"
            ) from error
        return target

    def submit(self, region: str, reference: str, qualifier: str | None, payload: bytes) -> str:
        """Queue an asynchronous invocation. Returns its request id. Raises as `invoke`, less what running it may."""
        target = self.check(region, reference, qualifier, payload, "Event")
        return self.events.submit(region, target.latest.function_name, target.qualifier, payload)

    def run(
        self, region: str, target: Target, payload: bytes, request_id: str, client_context: str = ""
    ) -> Answer:
        """Run a resolved version in an environment of its own for the time being."""
        function, latest = target.function, target.latest
        wanted = self._wanted(function, 0)
        limits = Limits(
            reserved=latest.reserved_concurrency,
            reserved_elsewhere=sum(
                f.reserved_concurrency or 0 for f in self.backend(region).latest_functions()
            ),
        )
        name = latest.function_name
        resource = f"{name}:{target.qualifier}" if target.qualifier else name
        try:
            environment = self.pool.acquire(function.key, wanted, limits)
        except TooManyRequestsException:
            self.metrics.add(region, name, resource, {"Throttles": 1.0})
            raise
        try:
            concurrent = self.pool.in_use(wanted.function)
            self._measure_provisioned(region, function, environment.provisioned)
            result = environment.invoke(
                Invocation(
                    request_id=request_id,
                    function_arn=target.invoked_arn,
                    payload=payload or b"null",
                    deadline_ms=int((time.time() + function.timeout) * 1000),
                    trace_id=trace_id(),
                    client_context=client_context,
                )
            )
        finally:
            self.pool.release(function.key, environment)
        self.metrics.add(
            region,
            name,
            resource,
            {
                "Invocations": 1.0,
                "Errors": float(bool(result.function_error)),
                "Throttles": 0.0,
                "Duration": result.duration * 1000,
                "ConcurrentExecutions": float(concurrent),
            },
        )
        return Answer(
            payload=result.payload,
            function_error=result.function_error,
            executed_version=str(function.version),
            request_id=request_id,
            log_tail=result.log_tail,
        )

    def provisioned(self, backend: EmbeddedLambdaBackend, key: tuple[str, str]) -> dict[str, Any]:
        """The live state of a provisioned concurrency configuration, as GetProvisionedConcurrencyConfig tells it."""
        record = backend.provisioned[key]
        shares = backend.shares(*key, record["requested"])
        keys = [backend.get_function(key[0], version).key for version in shares]  # type: ignore[attr-defined]
        states = [self.pool.provisioned(k) for k in keys]
        ready = sum(initialised for initialised, _, _ in states)
        failure = next((reason for _, _, reason in states if reason), "")
        answer = {
            "RequestedProvisionedConcurrentExecutions": record["requested"],
            "AllocatedProvisionedConcurrentExecutions": ready,
            "AvailableProvisionedConcurrentExecutions": sum(available for _, available, _ in states),
            "Status": "READY" if ready >= record["requested"] else "FAILED" if failure else "IN_PROGRESS",
            "LastModified": record["modified"],
        }
        return answer | ({"StatusReason": failure} if answer["Status"] == "FAILED" else {})

    def _measure_provisioned(self, region: str, function: EmbeddedFunction, provisioned: bool) -> None:
        """Record how far the provisioned concurrency that covers a version is used, if any does."""
        backend, name = self.backend(region), function.function_name
        for key, record in list(backend.provisioned.items()):
            if key[0] != name or str(function.version) not in backend.shares(*key, record["requested"]):
                continue
            state = self.provisioned(backend, key)
            allocated = state["AllocatedProvisionedConcurrentExecutions"]
            busy = max(0, allocated - state["AvailableProvisionedConcurrentExecutions"])
            kind = (
                "ProvisionedConcurrencyInvocations"
                if provisioned
                else "ProvisionedConcurrencySpilloverInvocations"
            )
            values = {kind: 1.0, "ProvisionedConcurrentExecutions": float(busy)}
            if allocated:
                values["ProvisionedConcurrencyUtilization"] = busy / allocated
            self.metrics.add(region, name, f"{name}:{key[1]}", values)

    def _versions(self) -> dict[str, Wanted]:
        """Every version that exists, for the pool."""
        versions = {}
        for backend in self.backends():
            counts: dict[str, int] = {}
            for (name, qualifier), record in list(backend.provisioned.items()):
                for version, count in backend.shares(name, qualifier, record["requested"]).items():
                    counts[f"{name}:{version}"] = counts.get(f"{name}:{version}", 0) + count
            for latest in backend.latest_functions():
                for function in [latest, *backend.versions(latest.function_name)]:
                    count = counts.get(f"{function.function_name}:{function.version}", 0)
                    versions[function.key] = self._wanted(function, count)
        return versions

    def _wanted(self, function: EmbeddedFunction, provisioned: int) -> Wanted:
        frozen = copy.copy(function)  # $LATEST may be updated before an environment is started
        return Wanted(
            function=function.unqualified_arn, launch=lambda: self._launch(frozen), provisioned=provisioned
        )

    def _launch(self, function: EmbeddedFunction) -> ExecutionEnvironment:
        try:
            keys = self.runtime.assume(
                function.role, SERVICE, function.region, function.function_name, function.unqualified_arn
            )
        except RoleNotAssumable as error:
            raise RoleCannotBeAssumed() from error
        logging = function.logging_config
        backend = self.backend(function.region)
        layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
        task_root = code.unpack(function.code_bytes, function.code_digest, self._code)
        variables = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": python_path(
                self._runtime_dir,
                [code.unpack(x.code_bytes, x.code_digest, self._code) for x in layers if x],
                function.run_time,
            ),
            "AWS_ENDPOINT_URL": self.runtime.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            **function.environment_vars,
            **keys,
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
            "LAMBDA_TASK_ROOT": str(task_root),
            "LAMBDA_RUNTIME_DIR": str(self._runtime_dir),
            "_HANDLER": function.handler,
        }
        if logging["LogFormat"] == "JSON":
            variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
            variables["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
        version = Version(
            function=function.unqualified_arn,
            version=str(function.version),
            handler=function.handler,
            runtime=function.run_time,
            memory=function.memory_size,
            timeout=function.timeout,
            task_root=task_root,
            variables=variables,
            json_logs=logging["LogFormat"] == "JSON",
        )

        def ship(stream: str, at: int, message: str) -> None:
            where = Stream(
                function.region,
                function.role,
                logging["LogGroup"],
                stream,
                "lambda.amazonaws.com",
                function.function_name,
                function.unqualified_arn,
            )
            self.logs.add(where, at, message)

        return ExecutionEnvironment(version, self.runtime.supervisor, self._scratch, ship, self.pool.changed)


def trace_id() -> str:
    """A new trace of X-Ray that is not sampled, which the runtime tells the handler in _X_AMZN_TRACE_ID."""
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"


_current: LambdaService | None = None


def install(service: LambdaService) -> None:
    """Make `service` the one of this process."""
    global _current
    _current = service


def current() -> LambdaService:
    """The service of this process."""
    if _current is None:
        raise RuntimeError("Lambda has not been started in this process")
    return _current


__all__ = ["LATEST", "Answer", "LambdaService", "current", "install"]
