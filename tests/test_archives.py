"""helpers.archives: whatever an archive says, nothing lands outside of the folder, or in excess."""

import io
import random
import stat
import struct
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from helpers import archives, download

NOISE = random.Random(0).randbytes(3000)


def packed(members, *, method=zipfile.ZIP_DEFLATED):
    """A zip file as bytes. members: [(name or ZipInfo, content)]."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, content)
    return file.getvalue()


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None
            for p in folder.rglob("*")}  # fmt: skip


@pytest.fixture
def unpack(tmp_path):
    """Unpack some bytes: what is in the folder then."""

    def unpack(content, **limits):
        (tmp_path / "a.zip").write_bytes(content)
        archives.unpack(tmp_path / "a.zip", tmp_path / "folder", **limits)
        return tree(tmp_path / "folder")

    return unpack


@pytest.fixture
def refused(tmp_path, unpack):
    """The message with which some bytes are refused; nothing is left of them, inside or outside."""

    def refused(content, **limits):
        with pytest.raises(download.DownloadError) as caught:
            unpack(content, **limits)
        assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refused


@pytest.mark.parametrize("method", archives.METHODS)
def test_what_is_in_an_archive_comes_out(unpack, method):
    inner = packed([("x", b"1")])
    members = [("set/", b""), ("set/a/1.wav", NOISE), ("set/empty", b""), ("./set//b.csv", b"1,2")]
    members += [("set\\c\\2.wav", NOISE[:10]), ("set/inner.zip", inner), ("set/ü 🐦.wav", b"3")]
    found = unpack(packed(members, method=method))
    assert {name: content for name, content in found.items() if content is not None} == {
        "set/a/1.wav": NOISE, "set/empty": b"", "set/b.csv": b"1,2", "set/c/2.wav": NOISE[:10],
        "set/inner.zip": inner, "set/ü 🐦.wav": b"3",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "a/../../x", "a/..", "..", "/x", "//host/share/x", "/", ""),
        *("..\\x", "a\\..\\..\\x", "\\x", "\\\\host\\share\\x"),
        *("C:/x", "c:x", "C:\\x", "a/C:/x", "a\\d:x"),
    ],
)
def test_a_member_that_leads_elsewhere(refused, name):
    assert "outside of its folder" in refused(packed([("good.wav", b"1"), (name, b"evil")]))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_link_or_device(refused, kind):
    link = zipfile.ZipInfo("set/link")
    link.create_system, link.external_attr = 3, (kind | 0o777) << 16
    members = [(link, b"/etc"), ("set/link/passwd", b"evil")]
    assert "a link or device in it: 'set/link'" in refused(packed(members))


def test_plain_files_and_folders_of_unix_are_neither(unpack):
    file, folder = zipfile.ZipInfo("set/a"), zipfile.ZipInfo("set")
    file.external_attr, folder.external_attr = 0o100644 << 16, 0o040755 << 16
    assert unpack(packed([(folder, b""), (file, b"1")])) == {"set": None, "set/a": b"1"}


def test_two_members_in_one_place(refused):
    with pytest.warns(UserWarning, match="Duplicate"):
        content = packed([("a/x", b"1"), ("a/x", b"2")])
    assert "has 'a/x' twice" in refused(content)
    assert "twice" in refused(packed([("a/x", b"1"), ("a//x", b"2")]))
    assert "cannot be written" in refused(packed([("a", b"1"), ("a/x", b"2")]))
    assert "cannot be written" in refused(packed([("a/x", b"1"), ("a", b"2")]))
    assert "cannot be written" in refused(packed([(".", b"1")]))


def test_two_names_that_are_one_on_this_disk(refused, monkeypatch):
    """As A and a where case does not count: simulated, since here it does."""
    checked = archives._checked
    monkeypatch.setattr(
        archives, "_checked", lambda *given: [(info, ("a",)) for info, _ in checked(*given)]
    )
    assert "cannot be written: file exists" in refused(packed([("A", b"1"), ("a", b"2")]))


def test_an_encrypted_archive(refused):
    content = bytearray(packed([("x", NOISE)]))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted ('x')" in refused(bytes(content))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_cannot_be_decompressed_piece_by_piece(refused, method):
    assert "rare way ('x')" in refused(packed([("x", NOISE)], method=method))


# --- too much -------------------------------------------------------------------------------------


def test_too_many_files(refused, unpack):
    content = packed([(f"{i}", b"") for i in range(11)])
    assert "11 members, more than 10" in refused(content, max_files=10)
    assert len(unpack(content, max_files=11)) == 11


def test_too_many_bytes(refused, unpack):
    content = packed([("a", bytes(600)), ("b", bytes(401))])
    assert "more than 1,000 bytes" in refused(content, max_bytes=1000)
    assert len(unpack(content, max_bytes=1001)) == 2


def test_what_says_that_it_is_too_much_is_believed(refused, monkeypatch):
    monkeypatch.setattr(archives, "_extract", lambda *given: 1 / 0)
    assert "more than 1,000 bytes" in refused(packed([("a", bytes(1001))]), max_bytes=1000)


def restated(content, *, size):
    """The same archive, whose headers say that its one member unpacks to so many bytes."""
    content = bytearray(content)
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, size)
    struct.pack_into("<I", content, content.index(b"PK\x03\x04") + 22, size)
    return bytes(content)


@pytest.mark.parametrize("stated", [0, 10, 5000])
def test_a_bomb_whose_header_lies(refused, stated, monkeypatch, tmp_path):
    bomb = restated(packed([("x", bytes(20_000_000))]), size=stated)
    assert len(bomb) < 30_000
    sizes = []
    rmtree = archives.shutil.rmtree

    def note(folder, **kwargs):
        sizes.append(sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()))
        rmtree(folder, **kwargs)

    monkeypatch.setattr(archives.shutil, "rmtree", note)
    assert "damaged" in refused(bomb, max_bytes=1_000_000)
    assert len(sizes) == 1 and sizes[0] <= 5000


def test_what_is_decompressed_counts_and_not_what_is_stated(refused, monkeypatch):
    """Were a member to unpack to more than its header says, as `zipfile` does not let it."""
    read = zipfile.ZipExtFile.read
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda self, n=-1: read(self, n) or bytes(400))
    assert "more than 1,000 bytes" in refused(packed([("x", b"1")]), max_bytes=1000)


def test_room_is_looked_for_beforehand(refused, monkeypatch):
    def need_room(folder, n_bytes):
        raise download.DownloadError(f"{n_bytes} are needed")

    monkeypatch.setattr(archives, "need_room", need_room)
    assert refused(packed([("a", bytes(600)), ("b", bytes(400))])) == "1000 are needed"


def test_a_disk_that_fills_up(refused, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives, "open", full, raising=False)
    assert "no room left" in refused(packed([("a", b"1")]))


# --- damaged --------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", NOISE, packed([("x", NOISE)])[:-30]])
def test_what_is_no_archive(refused, content):
    assert "damaged, or no zip file" in refused(content)


def test_a_damaged_member(refused):
    content = bytearray(packed([("x", NOISE)], method=zipfile.ZIP_STORED))
    content[500] ^= 1
    assert "Bad CRC-32" in refused(bytes(content))


def test_a_folder_that_is_there_already_stays(tmp_path):
    (tmp_path / "a.zip").write_bytes(packed([("x", b"1")]))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.wav").touch()
    with pytest.raises(download.DownloadError, match="cannot be written: file exists"):
        archives.unpack(tmp_path / "a.zip", tmp_path / "folder")
    assert tree(tmp_path / "folder") == {"mine.wav": b""}


# --- anything -------------------------------------------------------------------------------------

PIECES = ("..", ".", "a", "b", "/", "\\", "//", ":", "C:", "~", " ", "\0", "é", "\udc80", "\n", "%")
NAMES = st.one_of(
    st.text(max_size=12),
    st.lists(st.sampled_from(PIECES), max_size=7).map("".join),
    st.lists(st.sampled_from(("..", ".", "a", "b", "C:", "")), min_size=1, max_size=5).map(
        "/".join
    ),
)


def outcome(content):
    """Unpack some bytes two folders deep; nothing but that folder may change. True: unpacked."""
    with tempfile.TemporaryDirectory() as place:
        archive, folder = Path(place) / "a.zip", Path(place) / "data" / "deep" / "folder"
        archive.write_bytes(content)
        folder.parent.mkdir(parents=True)
        beside = folder.parent / "a"
        beside.write_text("mine")
        before = tree(Path(place))
        try:
            archives.unpack(archive, folder)
        except download.DownloadError:
            assert tree(Path(place)) == before
            return False
        inside = "data/deep/folder"
        after = {
            name: content
            for name, content in tree(Path(place)).items()
            if name != inside and not name.startswith(inside + "/")
        }
        assert after == before
        assert not any(p.is_symlink() for p in folder.rglob("*"))
        return True


def encodable(name):
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(NAMES.filter(encodable), min_size=1, max_size=4, unique=True))
@example(["a/b", "../a"])
@example(["/tmp/never-written-by-a-test"])
def test_no_name_leads_out_of_the_folder(names):
    normal = [name.partition("\0")[0] for name in names]
    if len(set(normal)) < len(normal):
        return
    unpacked = outcome(packed([(name, b"evil") for name in names]))
    if any(name.replace("\\", "/").split("/").count("..") for name in normal):
        assert not unpacked
    assert not Path("/tmp/never-written-by-a-test").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6))
def test_a_damaged_archive_is_unpacked_or_refused(changes):
    content = bytearray(packed([("set/a.wav", NOISE[:300]), ("set/b.csv", b"1,2\n" * 50)]))
    for place, value in changes:
        content[int(place * len(content))] = value
    outcome(bytes(content))


def test_the_properties_see_what_is_unpacked():
    assert outcome(packed([("a/b", b"1"), ("c", b"2")]))
