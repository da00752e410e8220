"""WSGI gate in front of moto: passes on only what the caller's policies allow."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

from moto.kms.models import kms_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import (
    attributes,
    authenticate,
    checks,
    decisions,
    errors,
    objects,
    request,
    trust,
    web_identity,
)
from embedded_aws.iam.checks import Check
from embedded_aws.iam.errors import Refusal
from embedded_aws.iam.evaluate import Decision, decide
from embedded_aws.iam.moto_checks import denied_objects
from embedded_aws.iam.principals import ANONYMOUS, Directory, Principal

log = logging.getLogger("embedded_aws.iam")

PROTOCOL = "embedded_aws.protocol"  # in the WSGI environment: the protocol to answer errors in
CALL = "embedded_aws.call"  # in the WSGI environment: the call that was let through

# moto's own control endpoints, which it serves whoever asks.
_RESERVED = ("/moto-api", "/latest/meta-data/", "/latest/api/", "/favicon.ico")
# Operations so named change nothing that is to be kept.
_READING = ("Get", "List", "Describe", "Head", "Search", "Invoke", "BatchGet", "Filter", "Query", "Simulate")


class Gate:
    """Authenticates and authorises every request, then hands it to `app`.

    changed: called after calls that write. writing: around those calls.
    """

    def __init__(
        self,
        app: Callable,
        directory: Directory,
        changed: Callable[[], None],
        writing: Callable[[request.Call], AbstractContextManager[None]],
    ):
        self._app, self._directory, self._changed, self._writing = app, directory, changed, writing

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        model, protocol = "s3", "s3"
        try:
            if environ["PATH_INFO"].startswith(_RESERVED):
                raise Refusal("denied", "Access Denied")
            signature = authenticate.read(environ)
            if signature is not None:
                model = request.model_name(signature.service, environ)
                protocol = request.protocol_of(model, environ)
                principal = authenticate.authenticate(signature, environ, body, self._directory.find)
                call = request.read(signature.service, signature.region, environ, body)
            else:
                protocol = _unsigned_protocol(environ)
                if web_identity.is_meant(environ, body):
                    model = "sts"
                    call = request.read(model, "us-east-1", environ, body)
                    principal = web_identity.principal(call)
                elif protocol != "s3":
                    raise Refusal("unsigned", "Missing Authentication Token")
                else:
                    principal = ANONYMOUS
                    call = request.read("s3", "us-east-1", environ, body)
            denied_objects.set(self.authorise(principal, call, environ))
        except Refusal as refusal:
            head = environ["REQUEST_METHOD"] == "HEAD"
            compatible = protocol in ("json", "cbor") and request.query_compatible(model)
            status, headers, content = errors.render(refusal, protocol, head, compatible)
            start_response(status, headers)
            return [content]
        except Exception as error:
            return _fault(error, environ, protocol, start_response)
        onward = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        # moto finds the service and the caller in this header alone.
        onward[PROTOCOL] = protocol
        onward["HTTP_AUTHORIZATION"] = signature.authorization if signature else _unsigned_header(model)
        onward[CALL] = call
        reads = call.operation.startswith(_READING)
        try:
            with nullcontext() if reads else self._writing(call):
                return self._app(onward, start_response)
        except Exception as error:  # such as a full disk under the journal: done perhaps, but not kept
            return _fault(error, environ, protocol, start_response)
        finally:
            if not reads:
                self._changed()

    def principal(self, access_key_id: str) -> Principal | None:
        """The caller with that access key, if it is active."""
        return self._directory.find(access_key_id)

    def authorise(
        self, principal: Principal, call: request.Call, environ: Mapping[str, Any] = MappingProxyType({})
    ) -> frozenset[str]:
        """Raises Refusal if a permission is missing. Returns the objects that DeleteObjects must leave.

        environ: of the request, for a call that came by HTTP.
        """
        if (call.prefix, call.operation) == ("sts", "GetCallerIdentity"):
            return frozenset()
        context = _context(principal, call, environ)
        if call.model == "s3":
            needed = objects.checks_of(call)
            if call.operation == "DeleteObjects":
                kept = {c.resource for c in needed if not self._decide(principal, call, c, context).allowed}
                return frozenset(kept)
        else:
            needed = checks.checks_of(call)
        for check in needed:
            self._demand(principal, call, check, context)
        hidden = objects.hides_absence(call) if call.model == "s3" else None
        if hidden is not None:
            self._demand(principal, call, hidden, context)
        return frozenset()

    def _demand(
        self, principal: Principal, call: request.Call, check: Check, context: dict[str, Any]
    ) -> None:
        decision = self._decide(principal, call, check, context)
        if decision.allowed:
            return
        if principal is ANONYMOUS:
            raise Refusal("denied", "Access Denied")
        if principal.kind == "FederatedUser":
            raise Refusal("denied", f"Not authorized to perform {check.action}")
        raise Refusal(
            "denied",
            f"User: {principal.arn} is not authorized to perform: {check.action} on resource: {check.resource} "
            f"{decision.reason}",
        )

    def _decide(
        self, principal: Principal, call: request.Call, check: Check, context: dict[str, Any]
    ) -> Decision:
        full = {**context, **attributes.of(check.resource), **check.context}
        prefix, policy, delegated = check.action.partition(":")[0], None, True
        if check.action in ("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"):
            policy, delegated = trust.policy(check.resource), False
        elif prefix == "s3":
            policy = objects.bucket_policy(check.resource)
        elif prefix == "kms":
            policy = _key_policy(check.resource)
            delegated = policy is None
        if prefix == "s3" and principal is ANONYMOUS and objects.restricts_public(check.resource):
            decision = Decision(False, "because the bucket's public access block restricts public buckets")
        else:
            decision = decide(principal, check.action, check.resource, full, policy, delegated)
        decisions.note(principal, check.action, check.resource, full, decision, policy)
        return decision


def _fault(error: Exception, environ: dict[str, Any], protocol: str, start_response: Callable) -> list[bytes]:
    """A fault of ours: nothing passes, in a shape that SDKs read."""
    log.exception("%s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
    reason = getattr(error, "strerror", None) or type(error).__name__
    message = f"The embedded AWS failed at this request ({reason}); its log says more."
    status, headers, content = errors.error(protocol, "InternalFailure", message, 500)
    start_response(status, headers)
    return [content]


def _unsigned_protocol(environ: dict[str, Any]) -> str:
    content_type = environ.get("CONTENT_TYPE", "")
    if "HTTP_X_AMZ_TARGET" in environ:
        return "json"
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return "cbor"
    if content_type.startswith("application/x-www-form-urlencoded") or "Action=" in environ.get(
        "QUERY_STRING", ""
    ):
        return "query"
    if environ["PATH_INFO"].startswith(("/2015-03-31/", "/endpoints/")):  # Lambda and the SageMaker runtime
        return "rest-json"
    return "s3"


def _unsigned_header(service: str) -> str:
    return (
        f"AWS4-HMAC-SHA256 Credential=ANONYMOUS/20000101/us-east-1/{service}/aws4_request, SignedHeaders=host, "
        f"Signature={'0' * 64}"
    )


def _context(principal: Principal, call: request.Call, environ: Mapping[str, Any]) -> dict[str, Any]:
    """The global condition keys. The loopback listener stands for AWS's TLS endpoints: transport is secure."""
    now = datetime.now(timezone.utc)
    return {
        "aws:securetransport": "true",
        "aws:requestedregion": call.region,
        "aws:sourceip": environ.get("REMOTE_ADDR", "127.0.0.1"),
        "aws:currenttime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:useragent": environ.get("HTTP_USER_AGENT", ""),
        "aws:resourceaccount": ACCOUNT_ID,
        "aws:viaawsservice": "false",
        **principal.context(),
    }


def _key_policy(arn: str) -> str | None:
    """The policy of a KMS key, or None if there is no such key."""
    if arn == "*":  # an operation without a key, such as CreateKey
        return None
    region, _, resource = arn.split(":", 5)[3:]
    if not resource.startswith("key/"):
        return None
    key = kms_backends[ACCOUNT_ID][region].keys.get(resource.removeprefix("key/"))
    return key.policy if key is not None else None
