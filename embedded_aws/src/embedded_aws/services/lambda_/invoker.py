"""How other services invoke functions: the interface, without the implementation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InvokeResponse:
    """The response of a synchronous invocation."""

    payload: bytes
    """JSON: what the handler returned, or the error document."""

    function_error: str
    """"Unhandled", or empty if the handler returned."""

    executed_version: str

    request_id: str

    log_tail: bytes
    """The last 4 KB of the invocation's log."""


class Invoker(ABC):
    """Invokes functions. `runtime.get(Invoker)` returns the running one."""

    @abstractmethod
    def invoke(
        self,
        region: str,
        reference: str,
        qualifier: str | None,
        payload: bytes,
        client_context: str = "",
        request_id: str = "",
    ) -> InvokeResponse:
        """Run a function and wait for its response.

        reference: name or ARN of the function. payload: JSON; empty means null.
        Raises UnknownFunctionException, RequestTooLargeException, InvalidRequestContentException,
        TooManyRequestsException, RoleCannotBeAssumed.
        """

    @abstractmethod
    def submit(self, region: str, reference: str, qualifier: str | None, payload: bytes) -> str:
        """Queue an asynchronous invocation. Returns its request ID.

        Raises UnknownFunctionException, RequestTooLargeException, InvalidRequestContentException.
        """
