"""WSGI middleware in front of moto: authenticates and authorizes every request."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

from moto.kms.models import kms_backends

from embedded_aws import ACCOUNT_ID, credentials
from embedded_aws.iam import attributes, authenticate, checks, errors, objects, request, trust, web_identity
from embedded_aws.iam.checks import Check
from embedded_aws.iam.decisions import DecisionRecord
from embedded_aws.iam.errors import Refusal
from embedded_aws.iam.evaluate import Decision, decide
from embedded_aws.iam.moto_checks import denied_objects
from embedded_aws.iam.principals import ANONYMOUS, Directory, Principal
from embedded_aws.iam.request import Call
from embedded_aws.iam.web_identity import WebIdentities
from embedded_aws.runtime import Runtime
from embedded_aws.validation import requests
from embedded_aws.validation.rejections import Rejected
from embedded_aws.wsgi import Application, Environ, StartResponse

log = logging.getLogger("embedded_aws.iam")

PROTOCOL = "embedded_aws.protocol"  # WSGI environment: the protocol for error responses
CALL = "embedded_aws.call"  # WSGI environment: the authorized call

# moto's control endpoints, which moto serves without any authorization.
_RESERVED = ("/moto-api", "/latest/meta-data/", "/latest/api/", "/favicon.ico")
# Operations with these prefixes change no state that is saved.
_READING = ("Get", "List", "Describe", "Head", "Search", "Invoke", "BatchGet", "Filter", "Query", "Simulate")


class Gate:
    """Authenticates and authorizes every request, then passes it on to `app`."""

    def __init__(self, app: Application, runtime: Runtime):
        root = credentials.root(runtime.home)
        self._app, self._runtime = app, runtime
        self._directory = Directory(root.aws_access_key_id, root.aws_secret_access_key)
        self._web_identities = WebIdentities(runtime.home / web_identity.KEYS_FOLDER)
        self._record = runtime.get(DecisionRecord)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
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
                if web_identity.is_requested(environ, body):
                    model = "sts"
                principal, call = self._unsigned(environ, body, protocol)
            call = replace(call, caller=principal.identity_arn, caller_arn=principal.arn)
            self._admit(principal, call, environ)
        except Rejected as error:
            head = environ["REQUEST_METHOD"] == "HEAD"
            status, headers, content = errors.error(
                protocol, error.code, error.message, error.status, head=head, query_code=error.query_code
            )
            start_response(status, headers)
            return [content]
        except Refusal as refusal:
            head = environ["REQUEST_METHOD"] == "HEAD"
            compatible = protocol in ("json", "cbor") and request.query_compatible(model)
            status, headers, content = errors.render(refusal, protocol, head, compatible)
            start_response(status, headers)
            return [content]
        except Exception as error:
            return _internal_failure(error, environ, protocol, start_response)
        onward = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        # moto reads service and caller from this header only.
        onward["HTTP_AUTHORIZATION"] = signature.authorization if signature else _unsigned_header(model)
        onward[PROTOCOL], onward[CALL] = protocol, call
        reads = call.operation.startswith(_READING)
        try:
            with nullcontext() if reads else self._runtime.writing(call):
                return self._app(onward, start_response)
        except (
            Exception
        ) as error:  # e.g. a full disk: the call may have succeeded, but the journal has no record
            return _internal_failure(error, environ, protocol, start_response)
        finally:
            if not reads:
                self._runtime.changed()

    def _admit(self, principal: Principal, call: Call, environ: Environ) -> None:
        """Authorize and validate a call. As on AWS, who may not call learns nothing about the input."""
        try:
            denied_objects.set(self.authorize(principal, call, environ))
        except Refusal:
            raise
        except Exception:  # the permissions of a call are those of its members, which may be missing
            requests.check_shape(call)
            raise
        requests.check(call)

    def principal(self, access_key_id: str) -> Principal | None:
        """Return the caller with an active access key, or None."""
        return self._directory.find(access_key_id)

    def authorize(
        self, principal: Principal, call: Call, environ: Mapping[str, Any] = MappingProxyType({})
    ) -> frozenset[str]:
        """Check every permission that a call needs.

        environ: WSGI environment of the request, for a call that came over HTTP.
        Returns the ARNs of the objects that DeleteObjects must not delete. Raises Refusal.
        """
        if (call.prefix, call.operation) == ("sts", "GetCallerIdentity"):
            return frozenset()
        context = _context(principal, call, environ)
        if call.model == "s3":
            needed = objects.checks_of(call)
            if call.operation == "DeleteObjects":
                return frozenset(
                    c.resource for c in needed if not self._decide(principal, c, context).allowed
                )
        else:
            needed = checks.checks_of(call)
        for check in needed:
            self._require(principal, check, context)
        hidden = objects.hides_absence(call) if call.model == "s3" else None
        if hidden is not None:
            self._require(principal, hidden, context)
        return frozenset()

    def _unsigned(self, environ: dict[str, Any], body: bytes, protocol: str) -> tuple[Principal, Call]:
        if web_identity.is_requested(environ, body):
            call = request.read("sts", "us-east-1", environ, body)
            return self._web_identities.principal(call), call
        if protocol != "s3":
            raise Refusal("unsigned", "Missing Authentication Token")
        return ANONYMOUS, request.read("s3", "us-east-1", environ, body)

    def _require(self, principal: Principal, check: Check, context: dict[str, Any]) -> None:
        decision = self._decide(principal, check, context)
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

    def _decide(self, principal: Principal, check: Check, context: dict[str, Any]) -> Decision:
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
        self._record.note(principal, check.action, check.resource, full, decision, policy)
        return decision


def _internal_failure(
    error: Exception, environ: Environ, protocol: str, start_response: StartResponse
) -> list[bytes]:
    """Answer with InternalFailure in a shape that SDKs can parse. The request does not reach moto."""
    log.exception("%s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
    reason = getattr(error, "strerror", None) or type(error).__name__
    message = f"The embedded AWS failed at this request ({reason}). See log/service.log in its home folder."
    status, headers, content = errors.error(protocol, "InternalFailure", message, 500)
    start_response(status, headers)
    return [content]


def _unsigned_protocol(environ: dict[str, Any]) -> str:
    content_type = environ.get("CONTENT_TYPE", "")
    if "HTTP_X_AMZ_TARGET" in environ:
        return "json"
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return "cbor"
    form = content_type.startswith("application/x-www-form-urlencoded")
    if form or "Action=" in environ.get("QUERY_STRING", ""):
        return "query"
    if environ["PATH_INFO"].startswith(("/2015-03-31/", "/endpoints/")):  # Lambda and the SageMaker runtime
        return "rest-json"
    return "s3"


def _unsigned_header(service: str) -> str:
    return (
        f"AWS4-HMAC-SHA256 Credential=ANONYMOUS/20000101/us-east-1/{service}/aws4_request, SignedHeaders=host, "
        f"Signature={'0' * 64}"
    )


def _context(principal: Principal, call: Call, environ: Mapping[str, Any]) -> dict[str, Any]:
    """Return the global condition keys. aws:SecureTransport is true: the listener stands for AWS's TLS endpoints."""
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
    """Return the policy of a KMS key, or None if there is no such key."""
    if arn == "*":  # an operation without a key, such as CreateKey
        return None
    region, _, resource = arn.split(":", 5)[3:]
    if not resource.startswith("key/"):
        return None
    key = kms_backends[ACCOUNT_ID][region].keys.get(resource.removeprefix("key/"))
    return key.policy if key is not None else None
