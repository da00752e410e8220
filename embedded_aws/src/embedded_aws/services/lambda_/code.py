"""Deployment packages on disk, and the runtime folder with the packages that every function can import."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

MAX_UNZIPPED_BYTES = 262_144_000

# The packages of AWS's Python runtimes: the interface client, and boto3 with its dependencies.
RUNTIME_MODULES = (
    "awslambdaric",
    "runtime_client",
    "simplejson",
    "snapshot_restore_py",
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "six",
    "urllib3",
)


def check(package: bytes) -> str | None:
    """Return AWS's error message for a package that Lambda refuses, else None."""
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile:
        return "Could not unzip uploaded file. Please check your file, then try to upload again."
    if size > MAX_UNZIPPED_BYTES:
        return f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes"
    return None


def unpack(package: bytes, digest: str, root: Path) -> Path:
    """Unpack a package below root, once per digest (hexadecimal SHA-256). Returns its folder."""
    target = root / digest
    if target.is_dir():
        return target
    scratch = Path(tempfile.mkdtemp(dir=root))
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        for member in archive.infolist():
            path = Path(archive.extract(member, scratch))
            if mode := (member.external_attr >> 16) & 0o777:
                path.chmod(mode | (0o700 if path.is_dir() else 0o400))
    _move(scratch, target)
    return target


def merge(layers: list[Path], root: Path) -> Path | None:
    """Return a folder below root with the files of all unpacked layers, of which later ones win; None without layers.

    The files are links. It is made once for each combination.
    """
    if len(layers) < 2:
        return layers[0] if layers else None
    target = root / hashlib.sha256("".join(layer.name for layer in layers).encode()).hexdigest()
    if target.is_dir():
        return target
    scratch = Path(tempfile.mkdtemp(dir=root))
    for layer in layers:
        shutil.copytree(layer, scratch, copy_function=_link, symlinks=True, dirs_exist_ok=True)
    _move(scratch, target)
    return target


def _link(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)
    os.link(source, target)


def _move(scratch: Path, target: Path) -> None:
    """Rename a finished folder, unless another environment has made it at the same time."""
    try:
        scratch.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(scratch)


def runtime_folder(root: Path) -> Path:
    """Fill root with links to RUNTIME_MODULES in this interpreter's packages. Returns root."""
    root.mkdir(parents=True, exist_ok=True)
    for name in RUNTIME_MODULES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"Lambda functions need the Python package {name}, which is not installed")
        origin = Path(spec.origin)
        source = origin.parent if spec.submodule_search_locations else origin
        link = root / source.name
        if not link.is_symlink() or link.readlink() != source:
            fresh = root / f".{source.name}.{os.getpid()}"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(source)
            fresh.replace(link)
    return root


def python_path(runtime_dir: Path, layers: list[Path], runtime: str) -> str:
    """Return PYTHONPATH of a function: the folders of its layers, the last layer first, then the runtime.

    runtime: such as "python3.12"; a layer can have a folder for one runtime.
    """
    folders = [
        layer / folder
        for layer in reversed(layers)
        for folder in (f"python/lib/{runtime}/site-packages", "python")
    ]
    return os.pathsep.join(map(str, [*folders, runtime_dir]))
