"""Fetching by the package client, with a stand-in for the client on PATH."""

import json
import os
import stat
import subprocess

import pytest

from l9.cards import Card, load_card
from l9.errors import FetchError
from l9.sources.fetch import fetch

APT_GET = r"""#!/bin/sh
echo "$@" >> "$L9_TEST_LOG"
case "$*" in
  *" update"*) exit ${L9_TEST_UPDATE:-0};;
  *" download "*)
    if [ -n "$L9_TEST_FAIL" ]; then echo "E: Unable to locate package chairs" >&2; exit 100; fi
    for name in $L9_TEST_ARCHIVES; do cp "$name" .; done;;
esac
"""


def card_of(**source):
    source = {"keep": ["**.sh3f", "**/copyright"], **source} if source else {}
    return Card(name="chairs", what="", licence="CC0-1.0", reader="l9.readers.sweethome:read", source=source)


@pytest.fixture
def archive(tmp_path):
    """A real Debian archive with one library, one licence, a program and a link."""
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text("Package: chairs\nVersion: 1.2-3\nArchitecture: all\nMaintainer: x <x@x.x>\nDescription: x\n")
    for name in ("usr/share/chairs/a.sh3f", "usr/share/doc/chairs/copyright", "usr/bin/chairs", "usr/share/chairs/a.png"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    (tree / "usr/share/chairs/b.jar").symlink_to("/etc/passwd")
    subprocess.run(["dpkg-deb", "--build", tree, tmp_path / "chairs_1.2-3_all.deb"], check=True, capture_output=True)
    return tmp_path / "chairs_1.2-3_all.deb"


@pytest.fixture
def apt(tmp_path, archive, monkeypatch):
    """A stand-in for apt-get; returns the file in which it notes how it was called."""
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin/apt-get"
    tool.write_text(APT_GET)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("L9_TEST_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("L9_TEST_ARCHIVES", str(archive))
    return tmp_path / "log"


def test_a_package_is_brought_once_and_only_what_is_read_is_kept(home, apt):
    said = []
    root = fetch(card_of(apt=["chairs"]), home, said.append)
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert root == home / "raw/chairs" and files == ["source.json", "usr/share/chairs/a.sh3f", "usr/share/doc/chairs/copyright"]
    manifest = json.loads((root / "source.json").read_text())
    (package,) = manifest["packages"]
    assert (package["package"], package["version"], package["archive"]) == ("chairs", "1.2-3", "chairs_1.2-3_all.deb")
    assert len(package["sha256"]) == 64 and sorted(manifest["files"]) == files[1:]
    assert [path.name for path in (home / "raw").iterdir()] == ["chairs"], "nothing temporary is left"
    calls = apt.read_text()
    assert fetch(card_of(apt=["chairs"]), home, said.append) == root and apt.read_text() == calls
    assert all(f"Dir::{place}={home}" in calls for place in ("State", "Cache")) and len(said) == 4
    assert stat.S_IMODE(root.stat().st_mode) == 0o755


def test_one_broken_list_does_not_stop_a_package_that_others_have(home, apt, monkeypatch):
    monkeypatch.setenv("L9_TEST_UPDATE", "100")
    assert (fetch(card_of(apt=["chairs"]), home, print) / "source.json").is_file()


def test_a_failed_download_is_one_line_and_leaves_nothing(home, apt, monkeypatch):
    monkeypatch.setenv("L9_TEST_FAIL", "1")
    with pytest.raises(FetchError) as caught:
        fetch(card_of(apt=["chairs"]), home, print)
    assert "Unable to locate package chairs" in str(caught.value) and "shapes" in str(caught.value) and "\n" not in str(caught.value)
    assert list((home / "raw").iterdir()) == []


def test_fewer_archives_than_packages_is_an_error(home, apt):
    with pytest.raises(FetchError, match="brought 1 of 2"):
        fetch(card_of(apt=["chairs", "tables"]), home, print)


@pytest.mark.parametrize("missing", ["apt-get", "dpkg-deb"])
def test_without_the_client_another_card_is_named(home, apt, tmp_path, monkeypatch, missing):
    bare = tmp_path / "bare"
    bare.mkdir()
    for tool in {"apt-get", "dpkg-deb"} - {missing}:
        (bare / tool).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(bare))
    with pytest.raises(FetchError, match=f"{missing}, which this machine has not; the card `shapes` needs no download"):
        fetch(card_of(apt=["chairs"]), home, print)


@pytest.mark.parametrize("packages", [[], ["-o", "Dir=/"], ["chairs; rm"], "chairs", [3]])
def test_what_is_no_package_name_reaches_no_client(home, apt, packages):
    with pytest.raises(FetchError, match="expected a list of package names"):
        fetch(card_of(apt=packages), home, print)
    assert not apt.exists()


@pytest.mark.parametrize("keep", [None, [], "**.sh3f", [3], [""]])
def test_a_card_says_what_is_kept(home, apt, keep):
    with pytest.raises(FetchError, match=r"source\.keep is .*; expected a list of patterns"):
        fetch(card_of(apt=["chairs"], keep=keep), home, print)
    assert not apt.exists()


@pytest.mark.parametrize("root", ["/usr", "usr/../..", "usr/", ".", 3])
def test_the_root_is_a_folder_within_the_archive(home, apt, root):
    with pytest.raises(FetchError, match=r"source\.root is .*; expected a folder within the archive"):
        fetch(card_of(apt=["chairs"], root=root), home, print)
    assert not apt.exists()


def test_what_is_kept_below_the_root_goes_without_it(home, apt):
    root = fetch(card_of(apt=["chairs"], root="usr/share/chairs"), home, print)
    assert sorted(json.loads((root / "source.json").read_text())["files"]) == ["a.sh3f", "usr/share/doc/chairs/copyright"]
    assert (root / "a.sh3f").read_text() == "usr/share/chairs/a.sh3f"


def test_a_pattern_that_keeps_nothing_is_named(home, apt):
    with pytest.raises(FetchError, match=r"no file of chairs 1\.2-3 matches source\.keep '\*\*\.jar'"):  # a link is no file
        fetch(card_of(apt=["chairs"], keep=["**.sh3f", "**.jar"]), home, print)
    assert list((home / "raw").iterdir()) == []


def test_a_broken_package_is_one_line(home, apt, archive):
    data = archive.read_bytes()
    archive.write_bytes(data[: len(data) - 200])
    with pytest.raises(FetchError, match=r"chairs_1\.2-3_all\.deb cannot be unpacked"):
        fetch(card_of(apt=["chairs"]), home, print)
    assert list((home / "raw").iterdir()) == []


def test_licensed_made_and_unknown_sources(home, tmp_path):
    with pytest.raises(FetchError, match="--root DIR"):
        fetch(card_of(), home, print)
    with pytest.raises(FetchError, match="source names cargo; l9 can fetch with apt or npm or pip"):
        fetch(card_of(cargo=["mnist"]), home, print)
    with pytest.raises(FetchError, match="source names apt, pip"):
        fetch(card_of(apt=["chairs"], pip={}), home, print)
    root = fetch(load_card("shapes"), home, print)
    assert root.is_dir() and list(root.iterdir()) == [] and fetch(load_card("shapes"), home, print) == root


def test_files_of_somebody_else_are_left_alone(home, apt):
    mine = home / "raw/chairs/mine.obj"
    mine.parent.mkdir(parents=True)
    mine.touch()
    with pytest.raises(FetchError, match="did not fetch"):
        fetch(card_of(apt=["chairs"]), home, print)
    assert mine.exists() and not apt.exists()
