"""The current data set of an environment: which one it is, and its manifest."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, Field

from ml.jobs.data import journal, other_upload
from ml.jobs.data.manifest import Manifest
from ml.jobs.data.store import Store, operator_errors
from ops import s3
from ops.documents import decode
from ops.environment import Environment
from ops.errors import OperatorError, Refused

PREFIX = "datasets"
MANIFEST = "manifest.json"
CURRENT = "current.json"


class MissingData(Refused):
    """An environment has no data set yet."""


class _Pointer(BaseModel):
    """The content of current.json: which data set is the current one, and the hash of its manifest."""

    dataset: str
    manifest_key: Annotated[str, Field(pattern=rf"^{PREFIX}/[a-z0-9-]{{1,200}}/{re.escape(MANIFEST)}$")]
    hash: str


def current(env: Environment) -> Manifest:
    """Return the manifest of the current data set. Waits for another command's upload of it.

    Raises OperatorError if there is none, if its upload was interrupted, or if its objects do not match.
    """
    name, command = env.settings.environment, f"./inv data{env.settings.flag}"
    with operator_errors(env):
        uri = s3.in_data_bucket(env, f"{PREFIX}/{CURRENT}")
        content = s3.get(env, uri)
        if content is None:
            raise MissingData(f"Environment {name} has no data: run {command} first.")
        again = f"run {command} again"
        pointer = decode(_Pointer, content, what=f"The pointer to the current data, {uri},", remedy=again)
        uri = s3.in_data_bucket(env, pointer.manifest_key)
        content = s3.get(env, uri)
        if content is None:
            raise MissingData(f"Environment {name} has no data (there is no {uri}): run {command} first.")
        found = Manifest.from_json(content, what=f"The data manifest {uri}", remedy=again)
        marker = s3.in_data_bucket(env, f"{PREFIX}/{found.dataset}/{journal.MARKER}")
        if s3.has_objects(env, marker):
            other_upload.wait(env, marker)
            if not s3.has_objects(env, marker):
                return current(env)
        if s3.has_objects(env, marker) or found.hash != pointer.hash:
            raise OperatorError(
                f"The upload of data set {found.dataset} of environment {name} was interrupted: run {command} again to "
                "finish it."
            )
    return found


def make_current(env: Environment, manifest: Manifest) -> str:
    """Write a manifest, and the pointer to it. Returns the manifest's key."""
    key = f"{PREFIX}/{manifest.dataset}/{MANIFEST}"
    Store(env, f"{PREFIX}/{manifest.dataset}/").put(MANIFEST, manifest.to_json().encode())
    pointer = _Pointer(dataset=manifest.dataset, manifest_key=key, hash=manifest.hash)
    Store(env, f"{PREFIX}/").put(CURRENT, pointer.model_dump_json().encode())
    return key
