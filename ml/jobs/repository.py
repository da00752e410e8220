"""This repository as an archive in S3, for the workbench's home folder and for data jobs."""

from __future__ import annotations

from pathlib import Path

from ml.jobs.submitter import as_submitter
from ops import packaging, s3
from ops.console import Progress
from ops.environment import Environment
from ops.paths import ROOT, WORK

ARCHIVE = "repository.tar.gz"


def upload(env: Environment, name: str, packages: Path | None, progress: Progress) -> str:
    """Upload this repository to S3, once per content, and return its URI.

    name: of what it is for, for the archive on this machine.
    packages: folder of wheels to include.
    """
    progress("packing this repository")
    archive = WORK / "packages" / f"{env.settings.environment}-{name}-{ARCHIVE}"
    digest = packaging.repository_bundle(ROOT, packages, archive)
    submitter = as_submitter(env)
    uri = s3.in_data_bucket(env, f"code/{digest[:16]}/{ARCHIVE}")
    if not s3.has_objects(submitter, uri):
        progress(f"uploading this repository, {archive.stat().st_size / 1e6:,.0f} MB")
        with archive.open("rb") as body:
            submitter.client("s3").put_object(Bucket=uri.bucket, Key=uri.key, Body=body, **s3.encryption(env))
    return str(uri)
