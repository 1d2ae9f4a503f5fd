"""A remote home against a real server: whole files or none, one line for every trouble, nothing that waits for ever."""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from object_store import BUCKET, breaking_wire, object_store

from l9.errors import StoreError
from l9.fingerprint import file_digest
from l9.store.remote import Patience, RemoteHome

QUICK = Patience(connect=1, request=1, attempts=2, silence=4)  # seconds
BIG = 25 << 20  # bytes: three parts of an upload


@pytest.fixture(scope="module")
def store():
    with object_store() as running:
        yield running


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "keys-never-shown")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(params=["s3", "file"])
def remote(request, store, tmp_path):
    """An empty home of either kind."""
    yield RemoteHome(store.url(tmp_path.name) if request.param == "s3" else f"file://{tmp_path}/there", QUICK)


def written(path, content=b"one"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def one_line(caught):
    text = str(caught.value)
    assert "\n" not in text and "keys-never-shown" not in text and "Request ID" not in text
    return text


@pytest.mark.parametrize("size", [0, 1, 5 << 20, BIG])
def test_a_file_goes_and_comes_back(remote, tmp_path, size):
    content = os.urandom(size)
    remote.push(written(tmp_path / "a", content), "store/shards/a.arrow")
    sha256 = file_digest(tmp_path / "a")
    remote.pull("store/shards/a.arrow", tmp_path / "new" / "b", sha256)
    assert (tmp_path / "new" / "b").read_bytes() == content
    assert remote.about("store/shards/a.arrow").bytes == size
    assert remote.digest("store/shards/a.arrow") == sha256 and remote.read("store/shards/a.arrow") == content


def test_what_is_there_is_listed_and_removed(remote, tmp_path):
    for name in ("runs/b/result.json", "runs/a/training.json", "runsx/c"):
        remote.push(written(tmp_path / "one"), name)
    assert [file.name for file in remote.list_files("runs")] == ["runs/a/training.json", "runs/b/result.json"]
    assert all(abs(file.modified_ns / 1e9 - time.time()) < 60 and file.bytes == 3 for file in remote.list_files("runs"))
    assert remote.folders("runs") == ["a", "b"]
    assert remote.exists("runs/a/training.json") and not remote.exists("runs/a") and not remote.exists("runs/none")
    remote.remove("runs/a/training.json")
    remote.remove("runs/a/training.json")
    assert [file.name for file in remote.list_files("runs")] == ["runs/b/result.json"]
    assert remote.list_files("store") == [] == remote.folders("store")


def test_a_later_push_replaces_an_earlier_one(remote, tmp_path):
    remote.push(written(tmp_path / "one", b"long ago"), "a")
    remote.push(written(tmp_path / "one", b"new"), "a")
    assert remote.read("a") == b"new"


def test_bytes_that_are_not_those_asked_for_do_not_arrive(remote, tmp_path):
    remote.push(written(tmp_path / "one"), "a")
    with pytest.raises(StoreError, match="a is not what was written \\(its sha256 differs\\)"):
        remote.pull("a", tmp_path / "here" / "b", "0" * 64)
    assert list((tmp_path / "here").iterdir()) == []


def test_what_is_missing_is_one_line(remote, tmp_path):
    for missing in (lambda: remote.pull("a", tmp_path / "new" / "b"), lambda: remote.read("a"), lambda: remote.digest("a")):
        with pytest.raises(StoreError, match="a is not there; l9 prep or l9 run") as caught:
            missing()
        one_line(caught)
    with pytest.raises(FileNotFoundError, match="here"):
        remote.push(tmp_path / "here", "a")
    assert not remote.exists("a") and not (tmp_path / "new" / "b").exists()


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a//b", "a\\b", "", "."])
def test_names_are_confined(remote, tmp_path, name):
    for use in (
        lambda: remote.push(written(tmp_path / "one"), name),
        lambda: remote.pull(name, tmp_path / "two"),
        lambda: remote.exists(name),
        lambda: remote.list_files(name),
        lambda: remote.remove(name),
    ):
        with pytest.raises(StoreError, match="no name of a file in a home"):
            use()


def test_a_name_in_the_bucket_that_leads_out_is_refused(store, tmp_path):
    """Whoever can write to the bucket could else write anywhere on a machine that pulls."""
    store.put("hostile/runs/x/../../../escape", b"x")
    with pytest.raises(StoreError, match="no name of a file in a home"):
        RemoteHome(store.url("hostile"), QUICK).list_files("runs")


def test_a_wrong_bucket(store, tmp_path):
    remote = RemoteHome(store.url("a", bucket="nobody"), QUICK)
    for use in (remote.check, lambda: remote.list_files("a"), lambda: remote.push(written(tmp_path / "one"), "a")):
        with pytest.raises(
            StoreError, match=r"there is no bucket 'nobody' at http://127.0.0.1:.*; make it, or give another --home"
        ) as caught:
            use()
        one_line(caught)


def test_wrong_keys(monkeypatch, tmp_path):
    with object_store(ask_for_keys=True) as asking:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", asking.keys[0])
        for secret in ("keys-never-shown", asking.keys[1]):
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
            remote = RemoteHome(asking.url("a"), QUICK)
            uses = (remote.check, lambda: remote.push(written(tmp_path / "one"), "a"), lambda: remote.pull("a", tmp_path / "two"))  # noqa: B023
            for use in uses:
                if secret == asking.keys[1]:
                    use()
                    continue
                with pytest.raises(StoreError, match=r"access denied \((SIGN|ACC).*by the environment: AWS_ACCESS_KEY_ID") as caught:
                    use()
                one_line(caught)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY")
        with pytest.raises(StoreError, match="access denied \\(INVALID_ACCESS_KEY_ID\\)") as caught:
            RemoteHome(asking.url("a"), QUICK).check()
        assert "AKIANOBODY" not in one_line(caught)


def test_nobody_listens(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"s3://{BUCKET}/a?endpoint_override=127.0.0.1:{free.getsockname()[1]}&scheme=http"
    start = time.monotonic()
    with pytest.raises(StoreError, match=r"http://127.0.0.1:\d+ did not answer within \d+ s .*see that it is up.*goes on") as caught:
        RemoteHome(url, QUICK).check()
    one_line(caught)
    assert time.monotonic() - start < 10


def test_somebody_listens_and_never_answers(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        remote = RemoteHome(f"s3://{BUCKET}/a?endpoint_override=127.0.0.1:{silent.getsockname()[1]}&scheme=http", QUICK)
        start = time.monotonic()
        with pytest.raises(StoreError, match=r"did not answer within \d+ s") as caught:
            remote.push(written(tmp_path / "one"), "a")
        one_line(caught)
        assert time.monotonic() - start < QUICK.silence + 3


def test_a_server_that_stops_in_the_middle_of_an_upload(tmp_path):
    """It is alive and silent: the upload is given up in time, and never completed by itself when the server goes on."""
    with object_store() as stopping:
        remote = RemoteHome(stopping.url("a"), QUICK)
        remote.check()
        big = written(tmp_path / "big", os.urandom(BIG))
        remote.push(big, "first")
        threading.Timer(0.1, stopping.stop).start()
        start = time.monotonic()
        with pytest.raises(StoreError, match=r"did not answer within \d+ s") as caught:
            for number in range(50):
                remote.push(big, f"next-{number}")
        one_line(caught)
        assert time.monotonic() - start < QUICK.silence + 10
        stopping.go_on()
        time.sleep(1)
        there = stopping.objects("a")
        assert all(content == big.read_bytes() for content in there.values()) and "first" in there


def test_a_server_that_dies_in_the_middle(tmp_path):
    with object_store() as dying:
        remote = RemoteHome(dying.url("a"), QUICK)
        remote.check()
        big = written(tmp_path / "big", os.urandom(BIG))
        threading.Timer(0.3, dying.process.kill).start()
        with pytest.raises(StoreError, match="did not answer within") as caught:
            for number in range(50):
                remote.push(big, f"next-{number}")
        one_line(caught)
        with pytest.raises(StoreError, match="did not answer within"):
            remote.pull("next-0", tmp_path / "new" / "b")
        assert list((tmp_path / "new").glob("*")) == []


def test_an_upload_of_which_one_part_failed_is_never_completed(store, tmp_path):
    """The client would complete it from the parts that arrived, when it lets go of the stream: the object would be there, cut short."""
    with breaking_wire(store, lambda method, path: "partNumber=2" in path) as port:
        remote = RemoteHome(store.url("cut", port=port), QUICK)
        with pytest.raises(StoreError) as caught:
            remote.push(written(tmp_path / "big", os.urandom(BIG)), "a")
        one_line(caught)
        assert not remote.exists("a") and store.objects("cut") == {}


def test_an_interrupted_upload_is_never_completed(store, tmp_path, monkeypatch):
    """Ctrl-C ends the wait at once; the thread that uploads sees it at its next piece."""
    from l9.store import remote as module

    real, copied = module._copy, threading.Event()

    def slow(source, stream, beat):
        def beat_slowly():
            if not copied.is_set():
                copied.set()
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(300):  # until the main thread has heard of it, however busy the machine
                    time.sleep(0.1)
                    beat()
            beat()

        real(source, stream, beat_slowly)

    monkeypatch.setattr(module, "_copy", slow)
    remote = RemoteHome(store.url("interrupted"), QUICK)
    with pytest.raises(KeyboardInterrupt):
        remote.push(written(tmp_path / "big", os.urandom(BIG)), "a")
    assert copied.is_set()
    time.sleep(1.0)
    gc.collect()  # what still holds the stream lets go of it
    assert store.objects("interrupted") == {}


@pytest.mark.parametrize("mebibytes", [1, 12])
def test_an_upload_whose_source_cannot_be_read_to_its_end_is_never_completed(store, tmp_path, monkeypatch, mebibytes):
    from l9.store import remote as module

    def half(source, stream, beat):
        stream.write(source.read(mebibytes << 20))
        raise OSError(5, "Input/output error", "big")

    monkeypatch.setattr(module, "_copy", half)
    with pytest.raises(OSError, match="Input/output error"):
        RemoteHome(store.url("unread"), QUICK).push(written(tmp_path / "big", os.urandom(BIG)), "a")
    gc.collect()
    time.sleep(1.0)
    assert store.objects("unread") == {}


PUSHER = """
import sys
from pathlib import Path
from l9.store.remote import RemoteHome
remote = RemoteHome(sys.argv[1])
print("ready", flush=True)
remote.push(Path(sys.argv[2]), sys.argv[3])
print("done", flush=True)
"""


def pusher(url, path, name):
    return subprocess.Popen([sys.executable, "-c", PUSHER, url, str(path), name], stdout=subprocess.PIPE, text=True)


def test_a_pusher_that_is_killed_leaves_nothing_half(store, tmp_path):
    big = written(tmp_path / "big", os.urandom(4 * BIG))
    left = []
    for number, seconds in enumerate((0.05, 0.2, 0.5, 1.0)):
        process = pusher(store.url("killed"), big, f"object-{number}")
        with process:
            process.stdout.readline()
            time.sleep(seconds)
            process.kill()
            left.append(process.stdout.readline() == "done\n")
    there = store.objects("killed")
    assert all(content == big.read_bytes() for content in there.values())
    assert not all(left), "every push was over before its kill"
    assert set(there) <= {f"object-{number}" for number in range(4)}


def test_two_pushers_at_once_leave_one_whole_object(store, tmp_path):
    contents = [os.urandom(BIG), os.urandom(BIG)]
    paths = [written(tmp_path / str(number), content) for number, content in enumerate(contents)]
    with contextlib.ExitStack() as stack:
        pushers = [stack.enter_context(pusher(store.url("two"), path, "a")) for path in paths]
        assert [process.stdout.read() for process in pushers] == ["ready\ndone\n"] * 2
    assert store.objects("two")["a"] in contents


def test_a_full_disk_here_says_so(store, tmp_path, monkeypatch):
    import errno

    remote = RemoteHome(store.url("full"), QUICK)
    remote.push(written(tmp_path / "one"), "a")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="no space left on the disk"):
        remote.pull("a", tmp_path / "new" / "b")
    assert list((tmp_path / "new").iterdir()) == []
