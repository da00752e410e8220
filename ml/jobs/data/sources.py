"""Fetch images to a local folder, once: from a folder, an archive, a URL, or a known data set."""

import errno
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ml.jobs.data import sample
from ml.jobs.data.archive import extract
from ml.jobs.data.download import download
from ml.jobs.data.parallel import Progress, quiet
from ops.errors import OperatorError, Refused

DOGS_URL = "https://s3-us-west-1.amazonaws.com/udacity-aind/dog-project/dogImages.zip"
_ORIGIN = ".origin.json"  # in every folder created here: its source; written last


def check_source(source: str) -> None:
    """Raise Refused if a source is neither a known name, nor a URL, nor a file or folder of this machine."""
    if source in ("sample", "dogs") or re.match(r"https?://", source, re.IGNORECASE):
        return
    if source.startswith("s3://"):
        raise Refused(
            f"Source '{source}' is read by a processing job: run ./inv data --on sagemaker --source {source}, or copy it to "
            "this machine with aws s3 sync and give the folder."
        )
    path = Path(source).expanduser()
    if not (path.is_dir() or path.is_file()):
        raise Refused(
            f"Source '{source}' does not exist: give sample, dogs, a folder, an archive (zip, tar, tar.gz, tar.bz2, tar.xz), or "
            "the http(s) URL of an archive."
        )


def fetch(source: str, workdir: Path, progress: Progress = quiet) -> Path:
    """Return the folder with the images of `sample`, `dogs`, a folder, an archive or its http(s) URL.

    Downloads and unpacks into workdir, once. Raises OperatorError if the source is none of these, is refused, or does
    not fit on the disk.
    """
    workdir = Path(workdir)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        if source == "sample":
            return _once(workdir / sample.NAME, {"sample": 1}, lambda folder: sample.write(folder, progress))
        if source == "dogs":
            return _from_url(DOGS_URL, workdir, progress)
        if re.match(r"https?://", source, re.IGNORECASE):
            return _from_url(source, workdir, progress)
        return _from_path(source, workdir, progress)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OperatorError(
                f"The disk of {workdir} is full: free some space and run the command again; downloads are kept."
            ) from error
        raise OperatorError(f"Source '{source}' could not be read into {workdir}: {error}.") from error


def _from_url(url: str, workdir: Path, progress: Progress) -> Path:
    name = Path(unquote(urlsplit(url).path)).name
    folder = workdir / _folder_name(name)

    def make(new: Path) -> None:
        # Two URLs may end in the same name: keep their partial downloads apart.
        archive = workdir / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}.archive"
        if not archive.exists():
            download(url, archive, progress)
        try:
            extract(archive, new, progress)
        except OperatorError:
            archive.unlink()
            raise
        archive.unlink()

    return _once(folder, {"url": url}, make)


def _from_path(source: str, workdir: Path, progress: Progress) -> Path:
    path = Path(source).expanduser()
    check_source(source)
    if path.is_dir():
        return path
    about = path.stat()
    origin = {"file": str(path.resolve()), "size": about.st_size, "modified_ns": about.st_mtime_ns}
    return _once(workdir / _folder_name(path.name), origin, lambda folder: extract(path, folder, progress))


def _once(folder: Path, origin: dict[str, Any], make: Callable[[Path], None]) -> Path:
    """Create a folder, unless it was completely created from the same source."""
    mark = folder / _ORIGIN
    if mark.exists() and _read(mark) == origin:
        return folder
    if folder.exists() and not mark.exists():
        raise OperatorError(
            f"{folder} exists and was not created by this command: move it, or give it as the source."
        )
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        make(new)
        (new / _ORIGIN).write_text(json.dumps(origin), encoding="utf-8")
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    new.replace(folder)
    return folder


def _read(mark: Path) -> Any:
    """Return the content of the mark; None if it is damaged, as then the folder is made again."""
    try:
        return json.loads(mark.read_bytes())
    except (ValueError, RecursionError):
        return None


def _folder_name(archive: str) -> str:
    stem = Path(archive).stem.removesuffix(".tar")
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-") or "dataset"
