"""This repository as an archive in S3, from which the workbench's home folder is made."""

from __future__ import annotations

from ml.jobs.submitter import as_submitter
from ops import packaging, s3
from ops.console import Progress
from ops.environment import Environment
from ops.paths import ROOT, WORK
from ops.settings.workbench import WorkbenchSettings
from pipeline.workbench import wheels

ARCHIVE = "repository.tar.gz"


def upload(env: Environment, wanted: WorkbenchSettings, progress: Progress) -> str:
    """Upload this repository to S3, once per content, and return its URI.

    Without internet access it includes the packages that a notebook needs.
    """
    packages = None if wanted.internet else wheels.folder(wanted.kind, progress)
    progress("packing this repository")
    archive = WORK / "packages" / f"{env.settings.environment}-{wanted.kind}-{ARCHIVE}"
    digest = packaging.repository_bundle(ROOT, packages, archive)
    submitter = as_submitter(env)
    uri = s3.in_data_bucket(env, f"code/{digest[:16]}/{ARCHIVE}")
    if not s3.has_objects(submitter, uri):
        progress(f"uploading this repository, {archive.stat().st_size / 1e6:,.0f} MB")
        with archive.open("rb") as body:
            submitter.client("s3").put_object(Bucket=uri.bucket, Key=uri.key, Body=body, **s3.encryption(env))
    return str(uri)
