"""Tar archives, and names of members as other systems write them."""

import gzip
import io
import random
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest

from ml.jobs.data import fetch
from ops.errors import OperatorError

KINDS = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def tar_of(path: Path, members: dict[str, bytes], mode: str = "w:gz", *others: tarfile.TarInfo) -> Path:
    """Write a tar. others: members without content."""
    with tarfile.open(path, mode) as out:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
        for info in others:
            out.addfile(info)
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_of(path: Path, names: list[bytes], extra: bytes = b"") -> Path:
    """Write a zip with raw names, which no flag describes, as programs of other systems do."""
    placeholders = [(b"@%d" % number).ljust(len(name), b"@") for number, name in enumerate(names)]
    with zipfile.ZipFile(path, "w") as out:
        for placeholder in placeholders:
            info = zipfile.ZipInfo(placeholder.decode())
            info.extra = extra
            out.writestr(info, b"content")
    raw = path.read_bytes()
    for placeholder, name in zip(placeholders, names, strict=True):
        raw = raw.replace(placeholder, name)
    path.write_bytes(raw)
    return path


def unpacked(source: Path, work: Path) -> set[str]:
    folder = fetch(str(source), work)
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != ".origin.json"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tar_is_unpacked(kind, tmp_path):
    folder = special("./train/", tarfile.DIRTYPE)
    source = tar_of(
        tmp_path / f"pets.{kind}",
        {"./train/cat/1.png": b"1" * 3000, "train/cat/é.png": b"2", "__MACOSX/1": b"x"},
        KINDS[kind],
        special("./", tarfile.DIRTYPE),
        folder,
    )
    assert unpacked(source, tmp_path / "work") == {"train/cat/1.png", "train/cat/é.png"}
    assert (tmp_path / "work" / "pets" / "train/cat/1.png").read_bytes() == b"1" * 3000


def test_an_archive_is_recognized_by_content(tmp_path):
    source = tar_of(tmp_path / "pets.zip", {"a/1.png": b"1"})
    assert unpacked(source, tmp_path / "work") == {"a/1.png"}


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (special("a", tarfile.SYMTYPE, "/etc/passwd"), "link or a special file"),
        (special("a", tarfile.SYMTYPE, "b"), "link or a special file"),
        (special("a", tarfile.LNKTYPE, "1.png"), "link or a special file"),
        (special("a", tarfile.FIFOTYPE), "link or a special file"),
        (special("a", tarfile.CHRTYPE), "link or a special file"),
        (special("../evil", tarfile.REGTYPE), "outside the folder"),
        (special("/etc/evil", tarfile.REGTYPE), "outside the folder"),
        (special("a/../../evil", tarfile.REGTYPE), "outside the folder"),
        (special("C:\\evil", tarfile.REGTYPE), "a path on another system"),
        (special("1.png", tarfile.REGTYPE), "twice"),
    ],
)
def test_what_a_tar_must_not_have_is_refused_before_anything_is_written(member, reason, tmp_path):
    source = tar_of(tmp_path / "bad.tar.gz", {"1.png": b"1"}, "w:gz", member)
    with pytest.raises(OperatorError, match=reason):
        fetch(str(source), tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz"])
def test_a_bomb_is_refused_before_anything_is_written(kind, tmp_path):
    members = {f"{n}.png": bytes(4 * 2**20) for n in range(5)}
    with pytest.raises(OperatorError, match="decompression bomb"):
        fetch(str(tar_of(tmp_path / f"bomb.{kind}", members, KINDS[kind])), tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_off_tar_is_refused(kind, share, tmp_path):
    content = random.Random(0).randbytes(30_000)
    source = tar_of(tmp_path / f"cut.{kind}", {"a.png": content}, KINDS[kind])
    source.write_bytes(source.read_bytes()[: int(len(content) * share)])
    with pytest.raises(
        OperatorError, match=r"is not a valid archive|is refused: an archive is a zip, or a tar"
    ):
        fetch(str(source), tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"Rar!\x1a\x07", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
        (b"hello", "none of these"),
    ],
)
def test_other_archives_are_refused_by_what_they_are(start, what, tmp_path):
    source = tmp_path / "pets.zip"
    source.write_bytes(start + bytes(100))
    with pytest.raises(OperatorError, match=rf"it is {what}\. Unpack it yourself and give the folder"):
        fetch(str(source), tmp_path / "work")


def test_a_compressed_file_that_is_no_archive_is_refused(tmp_path):
    source = tmp_path / "labels.csv.gz"
    source.write_bytes(gzip.compress(b"file,label\n" * 100))
    with pytest.raises(OperatorError, match="a compressed file and no archive"):
        fetch(str(source), tmp_path / "work")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Café/é.png".encode(), "Café/é.png"),  # macOS
        (unicodedata.normalize("NFD", "Café/é.png").encode(), unicodedata.normalize("NFD", "Café/é.png")),
        ("猫/1.png".encode(), "猫/1.png"),
        ("Café/Öl.png".encode("cp437"), "Café/Öl.png"),  # DOS, Windows Explorer
        ("Hund/größe.png".encode("cp1252"), "Hund/größe.png"),
        (b"train\\cat\\1.png", "train/cat/1.png"),
    ],
    ids=["UTF-8 without the flag", "decomposed", "Japanese in UTF-8", "cp437", "cp1252", "backslashes"],
)
def test_names_of_a_zip_are_read_as_its_program_meant_them(raw, name, tmp_path):
    assert unpacked(zip_of(tmp_path / "pets.zip", [raw]), tmp_path / "work") == {name}


def test_the_name_in_utf_8_that_info_zip_adds_is_used(tmp_path):
    raw, name = "Łódź/1.png".encode("cp852"), "Łódź/1.png"
    field = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
    extra = struct.pack("<HH", 0x7075, len(field)) + field
    assert unpacked(zip_of(tmp_path / "pets.zip", [raw], extra), tmp_path / "work") == {name}


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp932", ["ねこ/いぬ.png", "カメラ/1.png"]),
        ("cp866", ["кот/1.png"]),
        ("gbk", ["狗/1.png", "熊猫/2.png"]),
    ],
)
def test_names_in_an_unknown_code_page_are_refused(encoding, names, tmp_path):
    source = zip_of(tmp_path / "pets.zip", [name.encode(encoding) for name in names])
    with pytest.raises(OperatorError, match=r"unknown code page. Unpack it yourself"):
        fetch(str(source), tmp_path / "work")


@pytest.mark.parametrize(
    "name", [b"..\\evil", b"a\\..\\..\\evil", b"C:\\evil", b"\\\\host\\share", b"\\evil"]
)
def test_backslashes_do_not_lead_outside(name, tmp_path):
    with pytest.raises(OperatorError, match="is refused: member"):
        fetch(str(zip_of(tmp_path / "pets.zip", [name])), tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


def test_slashes_and_backslashes_in_one_zip_are_refused(tmp_path):
    source = zip_of(tmp_path / "pets.zip", [b"train/cat/1.png", b"train\\cat\\2.png"])
    with pytest.raises(OperatorError, match="a path on another system"):
        fetch(str(source), tmp_path / "work")
