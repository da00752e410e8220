"""Checkpoints on their way to S3 and back."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from ml.runner import checkpoint_sync
from ml.runner.checkpoint_sync import CheckpointSync
from tests.ml.runner.conftest import job


def test_changed_checkpoints_are_uploaded_and_downloaded_again(
    account, storage, tmp_path, monkeypatch, until
):
    monkeypatch.setattr(checkpoint_sync, "INTERVAL", 0.01)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    with CheckpointSync(job(), storage, folder, print):
        (folder / "checkpoint.pt").write_text("1")
        until(lambda: account.keys("checkpoints/job-1/") == ["checkpoint.pt"])
        (folder / "checkpoint.pt.partial").write_text("half")
        (folder / "sub").mkdir()
        (folder / "sub" / "more.pt").write_text("2")
    assert account.keys("checkpoints/job-1/") == ["checkpoint.pt", "sub/more.pt"]
    downloaded = tmp_path / "downloaded"
    assert CheckpointSync(job(), storage, downloaded, print).download() == 2
    assert (downloaded / "sub" / "more.pt").read_text() == "2"


def test_a_checkpoint_replaced_during_its_upload_is_uploaded_whole(storage, tmp_path, monkeypatch):
    file, uploaded = tmp_path / "checkpoint.pt", []
    file.write_text("old")

    def upload(job, path, uri):
        new = tmp_path / "checkpoint.pt.partial"
        new.write_text("new")
        new.replace(file)
        uploaded.append((path.read_text(), uri.rpartition("/")[2]))

    monkeypatch.setattr(storage, "upload", upload)
    sync = CheckpointSync(job(), storage, tmp_path, print)
    sync.upload_changes()
    assert uploaded == [("old", "checkpoint.pt")]
    sync.upload_changes()
    assert uploaded[1:] == [("new", "checkpoint.pt")]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_failed_upload_is_retried_and_raised_at_the_end(storage, tmp_path, monkeypatch, until):
    monkeypatch.setattr(checkpoint_sync, "INTERVAL", 0.01)
    (tmp_path / "checkpoint.pt").write_text("1")

    def refuse(*_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    monkeypatch.setattr(storage, "upload", refuse)
    logged: list[str] = []
    with pytest.raises(ClientError), CheckpointSync(job(), storage, tmp_path, logged.append):
        until(lambda: len(logged) > 1)
    assert logged[0].startswith("cannot upload the checkpoint, retrying: ")
