"""Requests below /_local/: what the embedded AWS does on demand that AWS does of itself, asked by root and signed like
AWS's; and presigned URLs of the workbench."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import authenticate, errors
from embedded_aws.iam.errors import Answer, Refusal
from embedded_aws.iam.gate import Gate
from embedded_aws.runtime import Runtime

SERVICE = "local"  # of the signature
ROOT = f"arn:aws:iam::{ACCOUNT_ID}:root"


def answer(environ: dict[str, Any], current: Runtime) -> Answer:
    """Answer a WSGI request of `POST /_local/interrupt/<training job>[?seconds=N]`: take a spot job's instances away;
    `POST /_local/interrupt/<instance id>`: give a Spot Instance its two minutes' notice; `GET` of a presigned URL."""
    from embedded_aws.services.sagemaker.workbench import tickets

    if environ["PATH_INFO"].startswith(tickets.PATH) and environ["REQUEST_METHOD"] == "GET":
        from embedded_aws.services.sagemaker.workbench import WorkbenchBackend

        return WorkbenchBackend.labs.tickets.answer(environ["PATH_INFO"])
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        region = _region_of_root(environ, body, current)
    except Refusal as refusal:
        return errors.render(refusal, "rest-json")
    job = re.fullmatch(r"/_local/interrupt/([^/]+)", environ["PATH_INFO"])
    if environ["REQUEST_METHOD"] != "POST" or job is None:
        return errors.error("rest-json", "NotImplementedException", "There is no such request.", 501)
    seconds = parse_qs(environ.get("QUERY_STRING", "")).get("seconds", ["0"])[0]
    if not re.fullmatch(r"[0-9]{1,6}", seconds):
        return _invalid(f"seconds must be a whole number from 0 to 999999, not {seconds}.")
    if re.fullmatch(r"i-[0-9a-f]{8,17}", job[1]):
        return _interrupt_instance(job[1], region)
    return _interrupt(unquote(job[1]), region, float(seconds))


def _region_of_root(environ: dict[str, Any], body: bytes, current: Runtime) -> str:
    """The region for which root has signed. Raises Refusal."""
    signature = authenticate.read(environ)
    if signature is None:
        raise Refusal("unsigned", "Missing Authentication Token")
    principal = authenticate.authenticate(signature, environ, body, current.get(Gate).principal)
    if principal.arn != ROOT or signature.service != SERVICE:
        raise Refusal(
            "denied", f"User: {principal.arn} is not authorized: only root is, signing for {SERVICE}."
        )
    return signature.region


def _interrupt(name: str, region: str, seconds: float) -> Answer:
    from moto.sagemaker.models import sagemaker_backends

    from embedded_aws.services.sagemaker.training.runs import NotInterruptible

    backend = sagemaker_backends[ACCOUNT_ID][region]
    job = backend.training_records.get(name)
    if job is None:
        return _invalid(f"There is no training job {name} in {region}.")
    try:
        backend.training_runs.interrupt(job, seconds)
    except NotInterruptible as error:
        return _invalid(str(error))
    return "200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")], b"{}"


def _interrupt_instance(identity: str, region: str) -> Answer:
    from moto.core.exceptions import ServiceException
    from moto.ec2.models import ec2_backends

    from embedded_aws.services.ec2.service import current

    try:
        current().interrupt(ec2_backends[ACCOUNT_ID][region].get_instance(identity))
    except ServiceException as error:
        return _invalid(error.message)
    return "200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")], b"{}"


def _invalid(message: str) -> Answer:
    return errors.error("rest-json", "ValidationException", message, 400)
