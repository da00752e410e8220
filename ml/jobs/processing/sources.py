"""Which sources a data job can read, and what it is given of them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ops import s3
from ops.environment import Environment
from ops.errors import Refused
from ops.s3 import S3Uri

FOLDER = "sources"
"""Prefix of the data bucket that the job's role may read sources from."""

NAMES = ("sample", "dogs")
_ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
_URL = re.compile(r"https?://", re.IGNORECASE)


def in_s3(source: str) -> bool:
    """Return whether a source is an s3:// URI."""
    return source.startswith("s3://")


def prefix(source: str) -> S3Uri:
    """Return the objects of an s3:// source: an archive, or everything below a folder."""
    uri = S3Uri.parse(source)
    return uri if _ARCHIVE.search(uri.key) else S3Uri(uri.bucket, f"{uri.key.rstrip('/')}/")


def path(source: str) -> str:
    """Return where the job finds an s3:// source, below the folder of the input: its last part, which names the data set."""
    uri = prefix(source)
    name = PurePosixPath(uri.key).name
    # SageMaker names an object after its key, and a folder as the request says.
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name) if uri.key.endswith("/") else name


def identity(source: str) -> str:
    """Return what equal sources have in common: a folder with and without its last slash is the same."""
    return str(prefix(source)) if in_s3(source) else source


def check(env: Environment, source: str) -> None:
    """Raise Refused if a data job cannot read a source: before anything is created."""
    if source in NAMES or _URL.match(source):
        if source != "sample" and env.outputs.foundation.network is not None:
            raise Refused(
                f"Source '{source}' is on the internet, which the private network of {env.settings.environment} does not "
                f"reach: copy the images to {_example(env, 'NAME')} and give that."
            )
        return
    if not in_s3(source):
        name = PurePosixPath(source).name or "NAME"
        target = _example(env, name)
        raise Refused(
            f"Source '{source}' is on this machine, which a processing job cannot read: copy it with aws s3 sync {source} "
            f"{target}, and give --source {target}; or leave out --on sagemaker."
        )
    found = prefix(source)
    if found.bucket != env.data_bucket or not re.match(rf"{FOLDER}/[^/]", found.key):
        target = _example(env, path(source))
        raise Refused(
            f"Source '{source}': the job's role reads sources below {_example(env, '')} only: copy it with aws s3 sync "
            f"{source} {target} (S3 copies it, not this machine), and give --source {target}."
        )
    if not s3.has_objects(env, found):
        raise Refused(f"Source '{source}': there are no objects below {found}. Check the name.")


def _example(env: Environment, name: str) -> S3Uri:
    end = "/" if name and not _ARCHIVE.search(name) else ""
    return s3.in_data_bucket(env, f"{FOLDER}/{name}{end}")
