"""Archives that a stranger wrote: what is kept of them stays inside, within bounds, and each refusal is one line."""

import errno
import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from l9.errors import FetchError, StoreError
from l9.sources import archives, kept
from l9.sources.archives import unpack
from l9.sources.kept import Keeper

REGULAR = tarfile.REGTYPE


def member(name, data=b"data", kind=REGULAR, **fields):
    header = tarfile.TarInfo(name)
    header.size, header.type = len(data), kind
    for field, value in fields.items():
        setattr(header, field, value)
    return header, data


def tar_of(path, *members, form=tarfile.PAX_FORMAT):
    with tarfile.open(path, "w:gz", format=form) as tar:
        for header, data in members:
            tar.addfile(header, io.BytesIO(data))
    return path


def zip_of(path, *members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


@pytest.fixture
def keeper(tmp_path):
    return Keeper(["**"], "a", tmp_path / "kept")


def refused(archive, keeper, words):
    with pytest.raises(FetchError, match=words or ".") as caught:
        unpack(archive, keeper)
    assert str(caught.value).startswith(f"{archive.name} cannot be unpacked: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "kept_names"),
    [
        ("**", ["LICENCE", "a/b/c.png", "a/b/d.txt", "a/e.png"]),
        ("a/*.png", ["a/e.png"]),
        ("a/**.png", ["a/b/c.png", "a/e.png"]),
        ("a/b/?.png", ["a/b/c.png"]),
        ("a?b/c.png", []),
        ("[aL]ICENCE", []),
        ("LICENCE", ["LICENCE"]),
    ],
)
def test_patterns(tmp_path, pattern, kept_names):
    names = ("a/b/c.png", "a/b/d.txt", "./a//e.png", "LICENCE")
    keeper = Keeper([pattern], "", tmp_path / "kept")
    unpack(tar_of(tmp_path / "x.tar.gz", *(member(name) for name in names)), keeper)
    assert sorted(keeper.files) == kept_names and keeper.unused() == ([] if kept_names else [pattern])


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_tar_s_regular_files_are_kept_and_nothing_else(tmp_path, keeper, form):
    long = "a/" + "n" * 200
    links = [member("a/l", b"", tarfile.SYMTYPE, linkname="/etc/passwd"), member("a/h", b"", tarfile.LNKTYPE, linkname="a/x")]
    others = [member("a/f", b"", tarfile.FIFOTYPE), member("a/n", b"", tarfile.CHRTYPE), member("a", b"", tarfile.DIRTYPE)]
    files = [member("a/x", mode=0o4777), member(long), member("b/y")]
    unpack(tar_of(tmp_path / "x.tar.gz", *links, *others, *files, form=form), keeper)
    assert sorted(keeper.files) == sorted(["x", long[2:], "b/y"])
    assert {path.name for path in (tmp_path / "kept").rglob("*")} == {"x", long[2:], "b", "y"}
    assert stat.S_IMODE((tmp_path / "kept/x").stat().st_mode) & 0o7133 == 0
    assert keeper.files["x"] == "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"


def test_a_file_behind_a_link_goes_through_no_link(tmp_path, keeper):
    unpack(tar_of(tmp_path / "x.tar.gz", member("a", b"", tarfile.SYMTYPE, linkname="/tmp"), member("a/x")), keeper)
    assert (tmp_path / "kept/x").read_bytes() == b"data" and not (tmp_path / "kept").is_symlink()


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "a/..", "./../x"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_no_path_leads_outside(tmp_path, keeper, name, kind):
    archive = tar_of(tmp_path / "x.tar.gz", member(name)) if kind == "tar" else zip_of(tmp_path / "x.whl", (name, b"data"))
    refused(archive, keeper, "leads outside the archive")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("second", ["a/x", "x", "a//./x"])
def test_no_file_takes_the_place_of_another(tmp_path, keeper, second):
    refused(tar_of(tmp_path / "x.tar.gz", member("a/x"), member(second, b"other")), keeper, "x stands there twice")
    assert (tmp_path / "kept/x").read_bytes() == b"data"


def test_no_file_takes_the_place_of_the_manifest_or_of_a_folder(tmp_path, keeper):
    refused(tar_of(tmp_path / "x.tar.gz", member("a/source.json")), keeper, "source.json: a name that l9 keeps for itself")
    refused(tar_of(tmp_path / "y.tar.gz", member("a/y"), member("a/y/z")), keeper, "exists|Not a directory")


@pytest.mark.parametrize(
    "version", [{"GNU.sparse.map": "0,1"}, {"GNU.sparse.size": "9"}, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}]
)
def test_sparse_files_of_extended_headers_are_refused_before_their_holes_are_read(tmp_path, keeper, version):
    """A list of 20 million holes has 78 kB in the archive and 2 GB in memory."""
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        header = tarfile.TarInfo("a/x")
        header.pax_headers, data = dict(version), b"1\n0\n1\n".ljust(512, b"\0") + b"x"
        header.size = len(data)
        tar.addfile(header, io.BytesIO(data))
    refused(path, keeper, "a sparse file")


def test_a_full_disk_is_no_broken_archive(tmp_path, keeper, monkeypatch):
    class Full(io.BytesIO):
        def read(self, size=-1):
            raise OSError(errno.ENOSPC, "No space left on device")

    take = Keeper.take
    monkeypatch.setattr(Keeper, "take", lambda self, name, stream: take(self, name, Full()))
    with pytest.raises(StoreError, match=r"no space left on the disk.*Free some"):
        unpack(tar_of(tmp_path / "x.tar.gz", member("a/x")), keeper)


def test_bombs_are_counted_while_they_are_read(tmp_path, keeper, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    refused(tar_of(tmp_path / "x.tar.gz", member("a/x", bytes(2 << 20))), keeper, "unpacks to more than 1,048,576 bytes")
    nothing = Keeper(["b/**"], "", tmp_path / "kept")
    refused(tar_of(tmp_path / "y.tar.gz", member("a/x", bytes(2 << 20))), nothing, "unpacks to more than 1,048,576 bytes")


def test_what_is_kept_is_bounded_over_all_archives(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "MOST_BYTES", 3 << 20)
    keeper = Keeper(["**"], "", tmp_path / "kept")
    unpack(zip_of(tmp_path / "x.zip", ("x", bytes(2 << 20))), keeper)
    refused(zip_of(tmp_path / "y.zip", ("y", bytes(2 << 20))), keeper, "the files kept unpack to more than 3,145,728 bytes")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_members_are_counted(tmp_path, keeper, monkeypatch, kind):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    names = [f"a/{number}" for number in range(4)]
    tar = tar_of(tmp_path / "x.tar.gz", *map(member, names))
    refused(tar if kind == "tar" else zip_of(tmp_path / "x.whl", *((name, b"") for name in names)), keeper, "more than 3 files")


def test_headers_that_would_fill_the_memory(tmp_path, keeper):
    for number, kind in enumerate((tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)):
        refused(tar_of(tmp_path / f"{number}.tar.gz", member("a/x", bytes(2 << 20), kind)), keeper, "a header of 2,097,152 bytes")
    refused(tar_of(tmp_path / "s.tar.gz", member("a/x", b"", tarfile.GNUTYPE_SPARSE)), keeper, "a member of type b'S'")
    refused(tar_of(tmp_path / "u.tar.gz", member("a/x", b"", b"Z")), keeper, "a member of type b'Z'")


def test_a_zip_s_links_folders_and_odd_methods(tmp_path, keeper):
    link = zipfile.ZipInfo("a/l")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    unpack(zip_of(tmp_path / "x.zip", (link, "/etc/passwd"), ("a/d/", b""), ("a/x", b"data")), keeper)
    assert list(keeper.files) == ["x"]
    refused(zip_of(tmp_path / "y.zip", ("a/y", b"data"), method=zipfile.ZIP_LZMA), keeper, "compressed by method 14")


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x.deb", "x.rar"])
@pytest.mark.parametrize("data", [b"", b"nothing of the kind" * 100, gzip.compress(b"no tar" * 200)], ids=["empty", "text", "gzip"])
def test_bytes_that_are_no_archive(tmp_path, keeper, name, data):
    (tmp_path / name).write_bytes(data)
    refused(tmp_path / name, keeper, "")


@pytest.mark.parametrize("end", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archives_cut_short(tmp_path, keeper, end, kind):
    noise = bytes(i * i % 251 for i in range(5000))
    archive = tar_of(tmp_path / "x.tar.gz", member("a/x", noise)) if kind == "tar" else zip_of(tmp_path / "x.whl", ("a/x", noise))
    archive.write_bytes(archive.read_bytes()[: int(end * archive.stat().st_size)])
    refused(archive, keeper, "")
