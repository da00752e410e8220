"""The data stage: fetch pictures, check them, describe them in a manifest, upload what changed."""

from ml.jobs.data.manifest import Manifest, Picture, manifest
from ml.jobs.data.sources import fetch
from ml.jobs.data.upload import PREFIX, Uploaded, current, upload
from ml.jobs.data.validate import Problem, Report, validate

__all__ = [
    "PREFIX",
    "Manifest",
    "Picture",
    "Problem",
    "Report",
    "Uploaded",
    "current",
    "fetch",
    "manifest",
    "upload",
    "validate",
]
