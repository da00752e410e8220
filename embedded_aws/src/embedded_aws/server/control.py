"""Control requests below /_local/: interruptions on demand, signed by root; presigned URLs of notebooks and Studio."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends
from moto.sagemaker.models import sagemaker_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import authenticate, errors
from embedded_aws.iam.errors import Answer, Refusal
from embedded_aws.iam.gate import Gate
from embedded_aws.runtime import Runtime
from embedded_aws.services.ec2.service import InstanceService
from embedded_aws.services.sagemaker.training.runs import NotInterruptible, TrainingRuns
from embedded_aws.services.sagemaker.workbench import tickets
from embedded_aws.services.sagemaker.workbench.labs import Labs

SERVICE = "local"  # of the signature
ROOT = f"arn:aws:iam::{ACCOUNT_ID}:root"


def answer(environ: dict[str, Any], runtime: Runtime) -> Answer:
    """Answer a control request.

    POST /_local/interrupt/TRAINING_JOB[?seconds=N]: take the instances of a spot training job away.
    POST /_local/interrupt/INSTANCE_ID: give a Spot Instance its two minutes' notice.
    GET of a presigned URL: redirect to the JupyterLab.
    """
    if environ["PATH_INFO"].startswith(tickets.PATH) and environ["REQUEST_METHOD"] == "GET":
        return runtime.get(Labs).tickets.answer(environ["PATH_INFO"])
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        region = _region_of_root(environ, body, runtime)
    except Refusal as refusal:
        return errors.render(refusal, "rest-json")
    target = re.fullmatch(r"/_local/interrupt/([^/]+)", environ["PATH_INFO"])
    if environ["REQUEST_METHOD"] != "POST" or target is None:
        return errors.error("rest-json", "NotImplementedException", "There is no such control request.", 501)
    seconds = parse_qs(environ.get("QUERY_STRING", "")).get("seconds", ["0"])[0]
    if not re.fullmatch(r"[0-9]{1,6}", seconds):
        return _invalid(f"seconds must be a whole number from 0 to 999999, not {seconds}.")
    if re.fullmatch(r"i-[0-9a-f]{8,17}", target[1]):
        return _interrupt_instance(target[1], region, runtime)
    return _interrupt_job(unquote(target[1]), region, float(seconds), runtime)


def _region_of_root(environ: dict[str, Any], body: bytes, runtime: Runtime) -> str:
    """Return the region that root signed for. Raises Refusal for other callers."""
    signature = authenticate.read(environ)
    if signature is None:
        raise Refusal("unsigned", "Missing Authentication Token")
    principal = authenticate.authenticate(signature, environ, body, runtime.get(Gate).principal)
    if principal.arn != ROOT or signature.service != SERVICE:
        raise Refusal(
            "denied",
            f"User: {principal.arn} is not authorized: only root is, with a signature for service {SERVICE}.",
        )
    return signature.region


def _interrupt_job(name: str, region: str, seconds: float, runtime: Runtime) -> Answer:
    job = sagemaker_backends[ACCOUNT_ID][region].training_records.get(name)  # type: ignore[attr-defined]
    if job is None:
        return _invalid(f"There is no training job {name} in {region}.")
    try:
        runtime.get(TrainingRuns).interrupt(job, seconds)
    except NotInterruptible as error:
        return _invalid(str(error))
    return _done()


def _interrupt_instance(identity: str, region: str, runtime: Runtime) -> Answer:
    try:
        instance = ec2_backends[ACCOUNT_ID][region].get_instance(identity)
        runtime.get(InstanceService).interrupt(instance)  # type: ignore[arg-type]
    except ServiceException as error:
        return _invalid(error.message)
    return _done()


def _done() -> Answer:
    return "200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")], b"{}"


def _invalid(message: str) -> Answer:
    return errors.error("rest-json", "ValidationException", message, 400)
