"""Sources of images: the sample, folders, zips and downloads; what is refused, and what is not repeated."""

import contextlib
import errno
import http.server
import stat
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ml.jobs.data import archive, download, fetch, manifest, sources, validate
from ops.errors import OperatorError, Refused

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    return fetch("sample", tmp_path_factory.mktemp("work"))


def test_the_sample_has_all_digits_split_70_15_15(digits):
    from sklearn.datasets import load_digits

    truth = load_digits()
    files = {path.name: path for path in digits.glob("*/*/*.png")}
    assert len(files) == 1797
    for number in (0, 7, 1796):
        path = files[f"digit_{number + 1:04}.png"]
        assert path.parent.name == str(truth.target[number])
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("L", (8, 8))
            levels = [round(value * 16 / 255) for value in image.tobytes()]
        assert levels == truth.images[number].ravel().astype(int).tolist()
    for split, share in (("train", 0.70), ("valid", 0.15), ("test", 0.15)):
        for label in range(10):
            in_class = sum(1 for target in truth.target if target == label)
            here = len(list((digits / split / str(label)).iterdir()))
            assert here == pytest.approx(in_class * share, abs=1)


def test_the_sample_has_the_same_bytes_everywhere(digits):
    assert manifest(digits).hash == "e75fca22c1a17fcaccc64cc20502b0a6a8895fe735fc72e44e10dd692303f3ee"
    assert manifest(digits).dataset == "digits"


def test_the_sample_is_valid_and_written_once(digits):
    report = validate(digits)
    assert report.problems == [] and report.images == 1797
    (digits / "train" / "0").joinpath("mark.txt").write_text("still here")
    try:
        assert fetch("sample", digits.parent) == digits
        assert (digits / "train" / "0" / "mark.txt").exists()
    finally:
        (digits / "train" / "0" / "mark.txt").unlink()


def test_a_folder_is_used_in_place(tmp_path):
    assert fetch(str(tmp_path), tmp_path / "work") == tmp_path


@pytest.mark.parametrize("source", ["no/such/place", "dgos", "file:///etc/passwd"])
def test_an_unknown_source_is_refused(source, tmp_path):
    with pytest.raises(OperatorError, match="does not exist: give sample, dogs"):
        fetch(source, tmp_path)


def test_an_s3_uri_is_left_to_a_processing_job(tmp_path):
    with pytest.raises(Refused, match=r"run \./inv data --on sagemaker --source s3://bucket/key\.zip"):
        fetch("s3://bucket/key.zip", tmp_path)


def test_a_zip_is_unpacked_again_only_if_it_has_changed(tmp_path):
    source = zip_of(tmp_path / "pets.zip", {"pets/train/cat/1.png": b"1", "__MACOSX/pets/._1": b"x"})
    folder = fetch(str(source), tmp_path / "work")
    assert folder == tmp_path / "work" / "pets"
    assert [p.name for p in folder.rglob("*") if p.is_file() and p.name != ".origin.json"] == ["1.png"]
    before = (folder / ".origin.json").stat().st_ino
    assert (fetch(str(source), tmp_path / "work") / ".origin.json").stat().st_ino == before
    zip_of(source, {"pets/train/cat/2.png": b"22"})
    assert [p.name for p in fetch(str(source), tmp_path / "work").rglob("*.png")] == ["2.png"]


def test_an_unknown_folder_is_not_replaced(tmp_path):
    (tmp_path / "work" / "pets").mkdir(parents=True)
    (tmp_path / "work" / "pets" / "mine.txt").write_text("mine")
    source = zip_of(tmp_path / "pets.zip", {"a/b.png": b"1"})
    with pytest.raises(OperatorError, match="exists and was not created by this command"):
        fetch(str(source), tmp_path / "work")
    assert (tmp_path / "work" / "pets" / "mine.txt").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/evil",
        "C:\\evil",
        "C:evil",
        "a\\..\\..\\evil",
        "\\\\host\\share",
        "..",
        "a/..",
    ],
)
def test_members_outside_of_the_folder_are_refused(name, tmp_path):
    source = tmp_path / "bad.zip"
    with zipfile.ZipFile(source, "w") as out:
        out.writestr("fine.png", b"1")
        info = zipfile.ZipInfo("x")
        info.filename = name
        out.writestr(info, b"2")
    with pytest.raises(OperatorError, match="is refused: member"):
        fetch(str(source), tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


part = st.sampled_from(["..", ".", "a", "b", "", "C:", "~", "é", "a\\b", "con", " "])
member_names = st.one_of(
    st.lists(part, min_size=1, max_size=5).map("/".join), st.text(min_size=1, max_size=20)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(member_names, min_size=1, max_size=4))
def test_no_member_name_writes_outside_of_the_folder(names, tmp_path_factory):
    home = tmp_path_factory.mktemp("zip")
    source = home / "any.zip"
    with zipfile.ZipFile(source, "w") as out:
        for number, name in enumerate(names):
            info = zipfile.ZipInfo(str(number))
            info.filename = name
            try:
                out.writestr(info, b"content")
            except UnicodeEncodeError:  # a lone surrogate is no name that a zip can hold
                return
    target = home / "deep" / "folder"
    target.mkdir(parents=True)
    with contextlib.suppress(OperatorError, OSError):
        archive.extract(source, target)
    outside = [p for p in home.rglob("*") if p.is_file() and p != source and target not in p.parents]
    assert outside == []
    assert not any(path.is_symlink() for path in home.rglob("*"))


def test_links_in_a_zip_are_refused(tmp_path):
    source = tmp_path / "link.zip"
    with zipfile.ZipFile(source, "w") as out:
        info = zipfile.ZipInfo("train/cat/1.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        out.writestr(info, "/etc/passwd")
    with pytest.raises(OperatorError, match="link or a special file"):
        fetch(str(source), tmp_path / "work")


def test_decompression_bombs_are_refused_before_anything_is_written(tmp_path):
    source = zip_of(tmp_path / "bomb.zip", {f"{n}.png": bytes(4 * 2**20) for n in range(5)})
    with pytest.raises(OperatorError, match="decompression bomb"):
        fetch(str(source), tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


def test_a_member_with_a_wrong_size_is_refused(tmp_path):
    source = zip_of(tmp_path / "liar.zip", {"a.png": b"z" * 5000})
    raw = source.read_bytes()
    # The true size stands in the local header and in the directory.
    source.write_bytes(raw.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(OperatorError, match=r"not a valid archive|is refused: an archive is a zip"):
        fetch(str(source), tmp_path / "work")


def test_too_many_members_or_too_little_space_are_refused(tmp_path, monkeypatch):
    source = zip_of(tmp_path / "many.zip", {f"{n}": b"1" for n in range(4)})
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(OperatorError, match="more than 3 members"):
        fetch(str(source), tmp_path / "work")
    monkeypatch.setattr(archive, "MAX_MEMBERS", 10)
    monkeypatch.setattr(archive, "_KEEP_FREE", 2**62)
    with pytest.raises(OperatorError, match="free some space"):
        fetch(str(source), tmp_path / "work")


@pytest.mark.parametrize("members", [["a", "a"], ["a", "./a"], ["a", "a/b"]])
def test_duplicate_names_are_refused(members, tmp_path):
    source = tmp_path / "twice.zip"
    with zipfile.ZipFile(source, "w") as out:
        for number, name in enumerate(members):
            info = zipfile.ZipInfo(str(number))
            info.filename = name
            out.writestr(info, b"1")
    with pytest.raises(OperatorError, match=r"twice|at once"):
        fetch(str(source), tmp_path / "work")


def test_a_file_that_is_not_a_zip_is_refused(tmp_path):
    (tmp_path / "x.zip").write_text("hello")
    with pytest.raises(OperatorError, match=r"not a valid archive|is refused: an archive is a zip"):
        fetch(str(tmp_path / "x.zip"), tmp_path / "work")


def test_a_full_disk_is_reported_and_leaves_no_partial_folder(tmp_path, monkeypatch):
    def full(folder, progress):
        (folder / "half").write_text("written")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sources.sample, "write", full)
    with pytest.raises(OperatorError, match="is full: free some space and run the command again"):
        fetch("sample", tmp_path)
    assert list(tmp_path.iterdir()) == []


class Server(http.server.ThreadingHTTPServer):
    """Serve `content` with ranges; break the connection after `break_after` bytes, `breaks` times."""

    content, etag, breaks, break_after = b"", '"v1"', 0, 0

    def __init__(self):
        self.requests: list[str | None] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/pets.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append(self.headers["Range"])
        start = 0
        if self.path != "/pets.zip":
            return self.send_error(404)
        if self.headers["Range"] and self.headers["If-Range"] == server.etag:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", server.etag)
        self.end_headers()
        if server.breaks:
            server.breaks -= 1
            self.wfile.write(body[: server.break_after])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, *_):
        """Log nothing."""


@pytest.fixture
def server(tmp_path):
    with Server() as server:
        server.content = zip_of(
            tmp_path / "served.zip", {"pets/train/cat/1.png": bytes(range(256)) * 40}
        ).read_bytes()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_download_resumes_after_a_broken_connection(server, tmp_path):
    server.breaks, server.break_after = 2, 100
    seen = []
    folder = fetch(server.url, tmp_path / "work", lambda *report: seen.append(report))
    assert (folder / "pets/train/cat/1.png").read_bytes() == bytes(range(256)) * 40
    assert server.requests == [None, "bytes=100-", "bytes=200-"]
    total = len(server.content)
    assert ("downloading", total, total) in seen
    fetch(server.url, tmp_path / "work")
    assert len(server.requests) == 3, "a second fetch asks nothing"
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == ["pets"]


def test_a_partial_file_of_an_older_version_is_not_used(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    server.breaks, server.break_after = 1, 100
    target = tmp_path / "got.zip"

    def changed(what, done, total):
        server.etag = '"v2"'

    download.download(server.url, target, changed)
    assert target.read_bytes() == server.content


def test_failed_downloads_are_reported(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0)
    with pytest.raises(OperatorError, match="answered 404"):
        fetch(server.url.replace("pets", "cats"), tmp_path / "work")
    server.breaks, server.break_after = 99, 0
    with pytest.raises(OperatorError, match="run the command again to resume from 0 bytes"):
        fetch(server.url, tmp_path / "work")
    monkeypatch.setattr(download, "_KEEP_FREE", 2**62)
    server.breaks = 0
    with pytest.raises(OperatorError, match="free some space"):
        fetch(server.url, tmp_path / "work")
