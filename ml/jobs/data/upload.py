"""Make a data set's prefix in S3 match its manifest, sending only what has changed.

The order makes an interrupted upload visible, and lets the next run finish it: write the journal, put objects, delete
stale keys, write manifest.json and current.json, delete the journal. While there is a journal, the prefix is between
two manifests and `current` refuses it. An upload does not touch other data sets. Of two commands that upload the same
data set, the second waits: it cannot create the journal.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ml.jobs.data import journal, other_upload
from ml.jobs.data.contents import Contents, ShardedImages, SingleImages
from ml.jobs.data.current import MANIFEST, PREFIX, make_current
from ml.jobs.data.journal import Journal
from ml.jobs.data.manifest import Manifest
from ml.jobs.data.parallel import Progress, each, quiet
from ml.jobs.data.problems import PROBLEMS
from ml.jobs.data.store import Store, Stored, operator_errors
from ops import s3
from ops.documents import UnreadableDocument
from ops.environment import Environment
from ops.retries import MAX_POOL_CONNECTIONS


@dataclass(frozen=True)
class Uploaded:
    """What an upload did.

    manifest: with the ETags of the objects.
    sent, unchanged, deleted: numbers of objects.
    sent_bytes: of the objects that were sent.
    """

    manifest: Manifest
    manifest_key: str
    sent: int
    sent_bytes: int
    unchanged: int
    deleted: int


def upload(env: Environment, manifest: Manifest, progress: Progress = quiet) -> Uploaded:
    """Upload the images of a manifest, and make it the current data set.

    An object is not sent again if the last manifest, or the journal of an interrupted upload, has its digest and the
    bucket still lists that object with the same ETag. Waits for another command's upload of the data set. Raises
    OperatorError if a put or a read fails.

    manifest: needs the paths of its images (`sources`).
    """
    contents = _contents(env, manifest)
    store = Store(env, f"{PREFIX}/{manifest.dataset}/")
    while True:
        with operator_errors(env):
            other_upload.wait(env, s3.in_data_bucket(env, f"{store.prefix}{journal.MARKER}"), progress)
            if uploaded := _upload(store, contents, progress):
                return uploaded
            # Another command began in the meantime.


def _contents(env: Environment, manifest: Manifest) -> Contents:
    data = env.settings.data
    in_shards = data.shards == "always" or (
        data.shards == "auto" and len(manifest.files) > data.shards_above_images
    )
    return ShardedImages(manifest, data.shard_megabytes * 2**20) if in_shards else SingleImages(manifest)


def _upload(store: Store, contents: Contents, progress: Progress) -> Uploaded | None:
    """Upload what has changed. Returns None, and does nothing, if another command has created the journal."""
    listed = store.listed()
    stored, to_send = _compare(store, contents, listed)
    unchanged = len(stored)
    kept = {MANIFEST, PROBLEMS, *stored, *to_send, *contents.descriptions()}
    stale = [key for key in listed if key not in kept and not journal.is_journal(key)]
    missing = [key for key in contents.descriptions() if key not in listed]
    writing = Journal(store, listed)
    changes = bool(to_send or stale or missing or any(journal.is_journal(key) for key in listed))
    if changes:
        if not writing.create():
            return None
        with writing:
            _send(store, contents, to_send, stored, writing, progress)
            store.delete(stale, progress)
            manifest = contents.complete(store, stored, changed=True)
    else:
        manifest = contents.complete(store, stored, changed=False)
    key = make_current(store.env, manifest)
    if changes:
        store.delete(writing.keys())
    sent_bytes = sum(stored[one].size for one in to_send)
    return Uploaded(manifest, key, len(to_send), sent_bytes, unchanged, len(stale))


def _compare(store: Store, contents: Contents, listed: dict[str, str]) -> tuple[dict[str, Stored], list[str]]:
    """Return the objects that are stored already, and the keys of the others. listed: ETag by key."""
    before = _known(store, listed)
    resumed = journal.read(store, listed)
    stored: dict[str, Stored] = {}
    to_send: list[str] = []
    for key in contents.objects():
        digest = contents.digest(key)
        for one in (resumed.get(key), before.get(key)):
            if one and one.digest == digest and one.etag == listed.get(key):
                stored[key] = one
                break
        else:
            to_send.append(key)
    return stored, to_send


def _known(store: Store, listed: Collection[str]) -> dict[str, Stored]:
    """Return what the last manifest says is stored; nothing if it is damaged, which only makes the upload send it all."""
    content = store.get(MANIFEST) if MANIFEST in listed else None
    try:
        manifest = None if content is None else Manifest.from_json(content)
    except UnreadableDocument:
        return {}
    if manifest is None:
        return {}
    found = {key: Stored(image.digest, image.etag) for key, image in manifest.files.items()}
    for shard in manifest.shards.shards if manifest.shards else []:
        found[f"shards/{shard.split}/{shard.name}"] = Stored(
            shard.digest, shard.etag, shard.size, shard.sha256
        )
    return found


def _send(
    store: Store,
    contents: Contents,
    keys: list[str],
    stored: dict[str, Stored],
    writing: Journal,
    progress: Progress,
) -> None:
    """Put the objects, and add each to `stored` and to the journal."""

    def put(key: str) -> tuple[str, Stored]:
        one = store.put(key, contents.body(key), contents.digest(key))
        writing.add(key, one)
        return key, one

    for key, one in each(put, keys, "uploading", progress, min(contents.workers, MAX_POOL_CONNECTIONS)):
        stored[key] = one
