"""Lambda's data plane: runs invocations in execution environments and reports what they did."""

from __future__ import annotations

import copy
import json
import secrets
import time
import uuid
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_.asynchronous import AsynchronousInvocations
from embedded_aws.services.lambda_.backend import EmbeddedLambdaBackend, backend_of, backends
from embedded_aws.services.lambda_.exceptions import (
    InvalidRequestContentException,
    RequestTooLargeException,
    RoleCannotBeAssumed,
    TooManyRequestsException,
)
from embedded_aws.services.lambda_.function import EmbeddedFunction
from embedded_aws.services.lambda_.invoker import Invoker, InvokeResponse
from embedded_aws.services.lambda_.launcher import PRINCIPAL, Launcher
from embedded_aws.services.lambda_.metrics import Metrics
from embedded_aws.services.lambda_.pool import Limits, Pool, PooledVersion
from embedded_aws.services.lambda_.runtime_api import Invocation
from embedded_aws.services.lambda_.versions import Target

MAX_PAYLOAD_BYTES = 6_291_456
MAX_EVENT_BYTES = 1_048_576


class LambdaService(Invoker):
    """Runs functions. Call `start` after the state is loaded, `stop` before the processes are ended."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.pool = Pool(self._pooled_versions)
        self._launcher = Launcher(runtime)
        self._metrics = Metrics(runtime)
        self._asynchronous = AsynchronousInvocations(runtime, self.run, self._metrics)

    def start(self) -> None:
        """Start provisioned concurrency, and resume the asynchronous invocations of the saved state."""
        self._launcher.start()
        self.pool.start()
        self._asynchronous.resume()

    def stop(self) -> None:
        """Start no more environments, and record the metrics that are still in memory."""
        self.pool.close()
        self._metrics.flush()

    def check_role(self, role_arn: str, region: str) -> None:
        """Raise InvalidParameterValueException unless Lambda may assume the role."""
        try:
            self.runtime.assume(role_arn, PRINCIPAL, region, "awslambda")
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
    ) -> InvokeResponse:
        target = self.check(region, reference, qualifier, payload, "RequestResponse")
        return self.run(region, target, payload, request_id or str(uuid.uuid4()), client_context)

    def submit(self, region: str, reference: str, qualifier: str | None, payload: bytes) -> str:
        target = self.check(region, reference, qualifier, payload, "Event")
        return self._asynchronous.submit(region, target.latest.function_name, target.qualifier, payload)

    def check(
        self, region: str, reference: str, qualifier: str | None, payload: bytes, invocation_type: str
    ) -> Target:
        """Return the version to run, after checking the size and the syntax of the payload.

        Raises UnknownFunctionException, RequestTooLargeException, InvalidRequestContentException.
        """
        target = backend_of(region).resolve(reference, qualifier)
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

    def run(
        self, region: str, target: Target, payload: bytes, request_id: str, client_context: str = ""
    ) -> InvokeResponse:
        """Run a version in an environment that serves one invocation at a time.

        Raises TooManyRequestsException, RoleCannotBeAssumed.
        """
        function, latest = target.function, target.latest
        version = self._pooled(function, 0)
        reserved = [f.reserved_concurrency or 0 for f in backend_of(region).latest_functions()]
        limits = Limits(reserved=latest.reserved_concurrency, reserved_by_all=sum(reserved))
        name = latest.function_name
        resource = f"{name}:{target.qualifier}" if target.qualifier else name
        try:
            environment = self.pool.acquire(function.key, version, limits)
        except TooManyRequestsException:
            self._metrics.add(region, name, resource, {"Throttles": 1.0})
            raise
        try:
            concurrent = self.pool.in_use(version.function)
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
        values = {
            "Invocations": 1.0,
            "Errors": float(bool(result.function_error)),
            "Throttles": 0.0,
            "Duration": result.duration * 1000,
            "ConcurrentExecutions": float(concurrent),
        }
        self._metrics.add(region, name, resource, values)
        return InvokeResponse(
            payload=result.payload,
            function_error=result.function_error,
            executed_version=str(function.version),
            request_id=request_id,
            log_tail=result.log_tail,
        )

    def provisioned(self, backend: EmbeddedLambdaBackend, key: tuple[str, str]) -> dict[str, Any]:
        """Return the state of a provisioned concurrency configuration as GetProvisionedConcurrencyConfig does."""
        record = backend.provisioned[key]
        shares = backend.shares(*key, record["requested"])
        keys = [backend.get_function(key[0], version).key for version in shares]  # type: ignore[attr-defined]
        states = [self.pool.provisioned(k) for k in keys]
        ready = sum(initialized for initialized, _, _ in states)
        failure = next((reason for _, _, reason in states if reason), "")
        response = {
            "RequestedProvisionedConcurrentExecutions": record["requested"],
            "AllocatedProvisionedConcurrentExecutions": ready,
            "AvailableProvisionedConcurrentExecutions": sum(available for _, available, _ in states),
            "Status": "READY" if ready >= record["requested"] else "FAILED" if failure else "IN_PROGRESS",
            "LastModified": record["modified"],
        }
        return response | ({"StatusReason": failure} if response["Status"] == "FAILED" else {})

    def _measure_provisioned(self, region: str, function: EmbeddedFunction, provisioned: bool) -> None:
        """Record the utilization of the provisioned concurrency that covers a version, if any does."""
        backend, name = backend_of(region), function.function_name
        for key, record in list(backend.provisioned.items()):
            if key[0] != name or str(function.version) not in backend.shares(*key, record["requested"]):
                continue
            state = self.provisioned(backend, key)
            allocated = state["AllocatedProvisionedConcurrentExecutions"]
            busy = max(0, allocated - state["AvailableProvisionedConcurrentExecutions"])
            kind = "Invocations" if provisioned else "SpilloverInvocations"
            values = {f"ProvisionedConcurrency{kind}": 1.0, "ProvisionedConcurrentExecutions": float(busy)}
            if allocated:
                values["ProvisionedConcurrencyUtilization"] = busy / allocated
            self._metrics.add(region, name, f"{name}:{key[1]}", values)

    def _pooled_versions(self) -> dict[str, PooledVersion]:
        """Return every version that exists, by its key."""
        versions = {}
        for backend in backends():
            counts: dict[str, int] = {}
            for (name, qualifier), record in list(backend.provisioned.items()):
                for version, count in backend.shares(name, qualifier, record["requested"]).items():
                    counts[f"{name}:{version}"] = counts.get(f"{name}:{version}", 0) + count
            for latest in backend.latest_functions():
                for function in [latest, *backend.versions(latest.function_name)]:
                    count = counts.get(f"{function.function_name}:{function.version}", 0)
                    versions[function.key] = self._pooled(function, count)
        return versions

    def _pooled(self, function: EmbeddedFunction, provisioned: int) -> PooledVersion:
        frozen = copy.copy(function)  # $LATEST may be updated before an environment is started
        return PooledVersion(
            function=function.unqualified_arn,
            launch=lambda: self._launcher.launch(frozen, self.pool.changed),
            provisioned=provisioned,
        )


def trace_id() -> str:
    """Return a new X-Ray trace header that is not sampled. The handler gets it in _X_AMZN_TRACE_ID."""
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"
