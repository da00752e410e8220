"""Data sets: fetch images, check them, describe them in a manifest, upload what has changed."""

from ml.jobs.data.current import PREFIX, MissingData, current
from ml.jobs.data.entries import ImageEntry
from ml.jobs.data.manifest import Manifest, manifest
from ml.jobs.data.seen import NearDuplicate
from ml.jobs.data.sources import check_source, fetch
from ml.jobs.data.splits import parse_shares
from ml.jobs.data.upload import Uploaded, upload
from ml.jobs.data.validate import Problem, Report, validate

__all__ = [
    "PREFIX",
    "ImageEntry",
    "Manifest",
    "MissingData",
    "NearDuplicate",
    "Problem",
    "Report",
    "Uploaded",
    "check_source",
    "current",
    "fetch",
    "manifest",
    "parse_shares",
    "upload",
    "validate",
]
