"""Archives have the right files, are readable by standard tools and are reproducible."""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.errors import OperatorError
from ops.packaging import _StoredGzip, lambda_zip, repository_bundle, source_bundle

# Digests of the files that `make` writes, with every Python, zlib and system.
ZIP_SHA256 = "308cd40bfbce77360a8c4658acc8af6caecb81de9e8964aab34475b7cd79f304"
BUNDLE_SHA256 = "a2a6e60bd47e57384f163b1701257c646c3a73020b62f8b1d1934fdd614b8233"


def make(folder: Path, names=("handler.py", "b/data.json", "a.py", "é.txt")) -> Path:
    """Write files to a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"content of {name}\n".encode() * 3000)
    return folder


@pytest.fixture
def program(tmp_path) -> Path:
    return make(tmp_path / "program")


def test_lambda_zip_has_the_files(program, tmp_path):
    digest = lambda_zip(program, tmp_path / "build" / "function.zip")
    content = (tmp_path / "build" / "function.zip").read_bytes()
    assert digest == hashlib.sha256(content).hexdigest() == ZIP_SHA256
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.py", "b/data.json", "handler.py", "é.txt"]
        assert archive.read("handler.py") == (program / "handler.py").read_bytes()
        for info in archive.infolist():
            assert info.external_attr >> 16 == 0o100644 and info.date_time == (1980, 1, 1, 0, 0, 0)


def test_source_bundle_has_the_files(program):
    content, digest = source_bundle(program)
    assert digest == hashlib.sha256(content).hexdigest() == BUNDLE_SHA256
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        assert archive.getnames() == ["a.py", "b/data.json", "handler.py", "é.txt"]
        assert archive.extractfile("a.py").read() == (program / "a.py").read_bytes()
        assert {(m.mode, m.mtime, m.uid, m.gid, m.uname) for m in archive} == {(0o644, 0, 0, 0, "")}


def test_tar_reads_the_source_bundle(program, tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(source_bundle(program)[0])
    listed = subprocess.run(["tar", "tzf", tmp_path / "x.tar.gz"], capture_output=True, text=True, check=True)
    assert len(listed.stdout.split()) == 4 and listed.stderr == ""


def test_times_modes_order_and_caches_do_not_change_the_archive(program, tmp_path):
    before = source_bundle(program)[1], lambda_zip(program, tmp_path / "1.zip")
    other = make(tmp_path / "other", ("é.txt", "a.py", "handler.py", "b/data.json"))
    os.utime(other / "a.py", (1, 1))
    (other / "a.py").chmod(0o700)
    (other / "b" / "__pycache__").mkdir()
    (other / "b" / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"x")
    (other / "old.pyc").write_bytes(b"x")
    (other / ".DS_Store").write_bytes(b"x")
    (other / "empty").mkdir()
    assert (source_bundle(other)[1], lambda_zip(other, tmp_path / "2.zip")) == before


def test_contents_and_names_change_the_archive(program, tmp_path):
    seen = {source_bundle(program)[1]}
    (program / "a.py").write_text("other")
    seen.add(source_bundle(program)[1])
    (program / "a.py").rename(program / "c.py")
    seen.add(source_bundle(program)[1])
    assert len(seen) == 3


def test_an_unchanged_zip_is_not_written(program, tmp_path):
    target = tmp_path / "function.zip"
    first = lambda_zip(program, target)
    os.utime(target, (5, 5))
    assert lambda_zip(program, target) == first and target.stat().st_mtime == 5
    (program / "a.py").write_text("other")
    assert lambda_zip(program, target) != first and target.stat().st_mtime != 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["function.zip", "program"]


def test_links_and_empty_folders_are_refused(program, tmp_path):
    (program / "link.py").symlink_to("/etc/passwd")
    with pytest.raises(OperatorError, match=r"link\.py is a link"):
        source_bundle(program)
    (tmp_path / "empty").mkdir()
    with pytest.raises(OperatorError, match="no files"):
        lambda_zip(tmp_path / "empty", tmp_path / "x.zip")


@given(st.integers(0, 200_000), st.integers(1_000, 100_000))
def test_gzip_decompresses_stored_blocks(size, at_a_time):
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    out = io.BytesIO()
    packed = _StoredGzip(out)
    for start in range(0, size, at_a_time):
        packed.write(content[start : start + at_a_time])
    packed.finish()
    assert gzip.decompress(out.getvalue()) == content


def unpacked(bundle: Path) -> dict[str, int]:
    """Return name and mode of the files in a bundle."""
    with tarfile.open(bundle, mode="r:gz") as archive:
        return {member.name: member.mode for member in archive}


def git(folder: Path, *words: str) -> None:
    """Run git in a folder."""
    subprocess.run(
        ["git", "-C", folder, "-c", "init.defaultBranch=main", *words], check=True, capture_output=True
    )


def test_a_repository_bundle_has_the_tracked_files_and_the_wheels(program, tmp_path):
    (program / "handler.py").chmod(0o755)
    (program / ".github").mkdir()
    for name in (".github/plan.yml", ".gitignore", "gone.py", "secret.toml"):
        (program / name).write_text("secret.toml\n")
    git(program, "init")
    git(program, "add", ".")
    (program / "gone.py").unlink()
    (program / "new.py").write_text("not tracked")
    wheels = make(tmp_path / "wheels", (f"b-{'1' * 120}-py3-none-any.whl", "a-1-py3-none-any.whl"))
    target = tmp_path / "packages" / "bundle.tar.gz"
    digest = repository_bundle(program, wheels, target)
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    assert unpacked(target) == {
        ".github/plan.yml": 0o644,
        ".gitignore": 0o644,
        "a.py": 0o644,
        "b/data.json": 0o644,
        "handler.py": 0o755,
        "é.txt": 0o644,
        "wheels/a-1-py3-none-any.whl": 0o644,
        f"wheels/b-{'1' * 120}-py3-none-any.whl": 0o644,
    }
    assert repository_bundle(program, wheels, target) == digest
    (program / "a.py").write_text("changed, not yet added")
    assert repository_bundle(program, wheels, target) != digest
    assert [path.name for path in target.parent.iterdir()] == ["bundle.tar.gz"]


def test_a_repository_without_git_is_bundled_without_hidden_files(program, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for name in (".venv/x.py", ".terraform/y", "__pycache__/a.pyc"):
        make(program, (name,))
    repository_bundle(program, None, tmp_path / "bundle.tar.gz")
    assert list(unpacked(tmp_path / "bundle.tar.gz")) == ["a.py", "b/data.json", "handler.py", "é.txt"]


def test_a_failing_git_is_reported(program, tmp_path, monkeypatch):
    """Otherwise the bundle would contain ignored files, such as keys and state."""
    git(program, "init")
    (program / ".git" / "config").write_text("not a configuration")
    with pytest.raises(OperatorError, match=r"git cannot list .* \(fatal: .*config.*\): fix that"):
        repository_bundle(program, None, tmp_path / "bundle.tar.gz")
    monkeypatch.setenv("PATH", str(tmp_path))  # without git
    with pytest.raises(OperatorError, match=r"git cannot list .* \(.*'git'\): fix that"):
        repository_bundle(program, None, tmp_path / "bundle.tar.gz")
    assert not (tmp_path / "bundle.tar.gz").exists()


def test_the_lambda_function_starts_from_its_zip(tmp_path):
    """The zip has the handler and all its imports at its top level."""
    lambda_zip(Path(__file__).parents[2] / "lambda_function", tmp_path / "function.zip")
    environment = {
        "PYTHONPATH": str(tmp_path / "function.zip"),
        "ENDPOINT_NAME": "e",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    code = "import handler; print(handler.__file__)"
    started = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert started.stdout.strip() == str(tmp_path / "function.zip" / "handler.py"), started.stderr
