"""The sandbox: what crosses it, what it bounds, and that it survives what runs in it."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from l9.errors import L9Error, RefusedObject, SandboxError, UsageError
from l9.sandbox import wire
from l9.sandbox.contract import Limits
from l9.sandbox.parent import AskedFor, Sandbox

HERE = Path(__file__).parent
SMALL = Limits(memory_bytes=256 << 20, cpu_seconds=1, wall_seconds=20, file_bytes=1000, descriptors=20, recycle_bytes=32 << 20)


@pytest.fixture(scope="module")
def shared():
    with Sandbox(SMALL, imports=("sandbox_targets",), path=(HERE,)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared):
    shared.deaths = 0
    return shared


def gone(process_id):
    for _ in range(100):
        try:
            state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int64", "float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("shape", [[2, 3], [0, 3], [], [5]])
def test_arrays_and_bytes_come_back_as_they_were(sandbox, dtype, shape):
    answer = sandbox.call("sandbox_targets:echo", {"dtype": dtype, "shape": shape})
    expected = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    first, text, empty, again = answer.buffers
    assert answer.value == {"dtype": dtype, "shape": shape}
    assert first.shape == tuple(shape) and first.dtype == np.dtype(dtype).newbyteorder("<")
    np.testing.assert_array_equal(first, expected)
    assert (text, empty) == (b"bytes", b"") and again is first


def test_plain_values_are_answers_too(sandbox):
    answer = sandbox.call("sandbox_targets:plain", {})
    assert (answer.value, list(answer.buffers)) == ([1, "two", None], [])


def test_files_are_opened_by_the_parent(sandbox, tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    for number, path in enumerate(paths):
        path.write_bytes(b"x" * (10 + number))
    (tmp_path / "link").symlink_to(paths[0])
    for _ in range(30):  # more calls than descriptors: none is kept
        assert sandbox.call("sandbox_targets:read", {}, [*paths, tmp_path / "link"]).value == [10, 11, 10]


def test_what_is_no_regular_file_is_refused_unopened(sandbox, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"x" * 1001)
    for path, reason in [
        (tmp_path / "fifo", "not-a-file"),
        (tmp_path, "not-a-file"),
        (Path("/dev/zero"), "not-a-file"),
        (tmp_path / "large", "too-large"),
        (tmp_path / "absent", "missing-file"),
    ]:
        with pytest.raises(RefusedObject) as caught:
            sandbox.call("sandbox_targets:read", {}, [path])
        assert caught.value.reason == reason and str(tmp_path) not in caught.value.detail
    with pytest.raises(RefusedObject, match="too-many-files"):
        sandbox.call("sandbox_targets:read", {}, [tmp_path / "large"] * 200_001)
    assert sandbox.deaths == 0


def many_files(folder, count):
    paths = [folder / f"{number:04d}" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(f"file {number}")
    return paths


def test_many_files_are_opened_when_they_are_asked_for(sandbox, tmp_path):
    paths = many_files(tmp_path, 500)
    paths[7].unlink()
    answer = sandbox.call("sandbox_targets:read_each", {"numbers": [499, 0, 250, 0]}, paths)
    assert answer.value == {"count": 500, "found": ["file 499", "file 0", "file 250", "file 0"]}
    for number, words in ((7, "missing-file"), (500, "IndexError")):
        with pytest.raises(RefusedObject, match=words):
            sandbox.call("sandbox_targets:read_each", {"numbers": [number]}, paths)
    (tmp_path / "0009").write_bytes(b"x" * 1001)
    with pytest.raises(RefusedObject, match="too-large"):
        sandbox.call("sandbox_targets:read_each", {"numbers": [9]}, paths)
    assert sandbox.deaths == 0


def test_files_are_asked_for_between_the_parts_of_an_answer(sandbox, tmp_path):
    answer = sandbox.call("sandbox_targets:read_while_sending", {}, many_files(tmp_path, 300))
    assert answer.value == 300
    assert list(answer.buffers) == [f"file {number}".encode() for number in range(300)]


def test_a_child_that_asks_for_another_file_is_taken_for_broken(sandbox, tmp_path):
    with pytest.raises(SandboxError, match="a wish for file 1000000 of 40"):
        sandbox.call("sandbox_targets:ask_for_nothing", {}, many_files(tmp_path, 40))
    assert sandbox.call("sandbox_targets:read_each", {"numbers": [1]}, many_files(tmp_path, 40)).value["found"] == ["file 1"]


def test_the_child_has_an_empty_folder_and_no_secrets(sandbox, monkeypatch):
    monkeypatch.setenv("L9_TEST_TOKEN", "secret")
    sandbox.close()
    value = sandbox.call("sandbox_targets:where", {}).value
    assert value["inside"] == [] and value["folder"] != str(Path.cwd())
    assert "L9_TEST_TOKEN" not in value["environment"] and "OMP_NUM_THREADS" in value["environment"]
    assert value["folder"] not in value["path"] and "" not in value["path"]
    sandbox.close()
    assert not Path(value["folder"]).exists()


@pytest.mark.parametrize(
    ("target", "reason", "words"),
    [
        ("eat", "memory-limit", "256 MiB"),
        ("eat_quietly", "memory-limit", "256 MiB"),
        ("spin", "cpu-limit", "1 s"),
        ("crash", "died", "SIGSEGV"),
        ("leave", "died", "code 3: last words at 0x..."),
    ],
)
def test_a_broken_limit_is_tried_twice_and_the_next_call_works(sandbox, target, reason, words):
    with pytest.raises(SandboxError, match=words) as caught:
        sandbox.call(f"sandbox_targets:{target}", {})
    assert caught.value.reason == reason and sandbox.deaths == 2
    assert sandbox.call("sandbox_targets:read", {}).value == []


def test_a_call_may_be_given_more_time_than_the_next(sandbox):
    assert sandbox.call("sandbox_targets:work", {"seconds": 2.5}, cpu_seconds=60).value == "done"
    with pytest.raises(SandboxError, match="more than 2 s"):
        sandbox.call("sandbox_targets:work", {"seconds": 30}, cpu_seconds=2)
    assert sandbox.call("sandbox_targets:work", {"seconds": 0.1}).value == "done"


def test_a_call_that_hangs_is_ended_by_the_parents_clock():
    with Sandbox(Limits(wall_seconds=0.5), imports=("sandbox_targets",), path=(HERE,)) as sandbox:
        with pytest.raises(SandboxError) as caught:
            sandbox.call("sandbox_targets:hang", {})
        assert caught.value.reason == "time-limit" and sandbox.deaths == 2
        assert sandbox.call("sandbox_targets:read", {}).value == []


def test_a_death_that_does_not_repeat_costs_one_retry(sandbox, tmp_path):
    assert sandbox.call("sandbox_targets:once_wrong", {"marker": str(tmp_path / "m")}).value == "second time"
    assert sandbox.deaths == 1


def test_a_retried_call_reads_its_files_from_the_start(sandbox, tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 7)
    sandbox.call("sandbox_targets:read", {}, [tmp_path / "a"])
    os.kill(sandbox.process_id, signal.SIGKILL)
    assert sandbox.call("sandbox_targets:read", {}, [tmp_path / "a"]).value == [7]


@pytest.mark.parametrize("stream", [1, 2])
def test_ten_megabytes_of_talk_change_nothing(sandbox, stream):
    assert sandbox.call("sandbox_targets:babble", {"stream": stream}).value == "still here"
    assert sandbox.deaths == 0


@pytest.mark.parametrize("target", ["fall", "not_an_answer", "nonsense", "strings", "write_much"])
def test_other_exceptions_refuse_the_object_in_one_line(sandbox, target):
    with pytest.raises(RefusedObject) as caught:
        sandbox.call(f"sandbox_targets:{target}", {})
    assert caught.value.reason == "failed" and sandbox.deaths == 0
    assert "\n" not in caught.value.detail and len(caught.value.detail) <= 300 and "7f00deadbeef" not in caught.value.detail


def test_refusals_and_wrong_words_keep_their_own_errors(sandbox):
    with pytest.raises(RefusedObject) as caught:
        sandbox.call("sandbox_targets:refuse", {})
    assert (caught.value.reason, caught.value.detail) == ("no-faces", "0 faces")
    with pytest.raises(UsageError, match="root is not there"):
        sandbox.call("sandbox_targets:wrong_words", {})


@pytest.mark.parametrize(
    ("target", "arguments", "words"),
    [
        ("lack", {}, "No module named 'no_such_package'"),
        ("break_own_column", {}, "column size has shape"),
        ("open_many", {}, "Too many open files"),
        ("fail", {"number": errno.ENOSPC}, "No space left"),
        ("fail", {"number": errno.EACCES}, "Permission denied"),
        ("fail", {"number": errno.EIO}, "Input/output error"),
    ],
)
def test_the_machines_faults_are_not_the_objects(sandbox, target, arguments, words):
    with pytest.raises(L9Error, match=words) as caught:
        sandbox.call(f"sandbox_targets:{target}", arguments)
    assert type(caught.value) is L9Error and "\n" not in str(caught.value)
    assert sandbox.call("sandbox_targets:plain", {}).value == [1, "two", None]


@pytest.mark.parametrize(("target", "arguments"), [("lack_memory", {}), ("fail", {"number": errno.ENOMEM})])
def test_memory_that_ends_elsewhere_is_the_memory_limit(sandbox, target, arguments):
    with pytest.raises(SandboxError, match="memory-limit"):
        sandbox.call(f"sandbox_targets:{target}", arguments)


def test_last_words_do_not_depend_on_earlier_calls(sandbox):
    details = []
    for earlier in ("plain", "mumble"):
        sandbox.close()
        sandbox.call(f"sandbox_targets:{earlier}", {})
        with pytest.raises(SandboxError) as caught:  # only the first death follows the talk, so no second try is made
            sandbox._call_once({"target": "sandbox_targets:leave", "arguments": {}, "cpu_seconds": 1}, (), AskedFor((), SMALL), 60.0)
        details.append(caught.value.detail)
    assert details[0] == details[1] and "\0" not in details[1] and "last words at" in details[0]


def test_a_child_that_grew_is_replaced(sandbox):
    first = sandbox.call("sandbox_targets:keep", {"size": 1 << 20}).value
    assert sandbox.call("sandbox_targets:keep", {"size": 64 << 20}).value == first
    assert sandbox.call("sandbox_targets:keep", {"size": 1 << 10}).value != first
    assert sandbox.deaths == 0


def message(header: bytes) -> str:
    return (wire.PREFIX.pack(len(header)) + header).hex()


@pytest.mark.parametrize(
    "lie",
    [
        wire.PREFIX.pack(1 << 60).hex(),
        message(b"not json"),
        message(b"[" * 100_000),
        message(b'{"body": 1}'),
        message(b'{"body": {"status": "done"}, "buffers": [{"bytes": 99999999999999}]}'),
        message(b'{"body": 1, "buffers": [{"bytes": -1}]}'),
        message(b'{"body": 1, "buffers": [{"bytes": 8, "dtype": "O", "shape": [1]}]}'),
        message(b'{"body": 1, "buffers": [{"bytes": 8, "dtype": "<f4", "shape": [3]}]}'),
        message(b'{"body": {"status": "done", "value": 1}, "buffers": [{"bytes": 0, "dtype": "<f4", "shape": [0, 1%s]}]}' % (b"0" * 30)),
        message(b'{"body": 1, "buffers": [{"same": 0}]}'),
        message(b'{"body": 1, "buffers": []}'),
        message(b'{"body": {"status": "done"}, "buffers": []}'),
        message(b'{"body": {"status": "refused"}, "buffers": []}'),
    ],
)
def test_a_lying_child_is_ended(sandbox, lie):
    with pytest.raises(SandboxError) as caught:
        sandbox.call("sandbox_targets:lie", {"message": lie})
    assert caught.value.reason == "died"


def test_a_sandbox_that_was_ended_fails_who_waits_and_starts_no_other():
    sandbox, failed = Sandbox(SMALL, path=(HERE,)), []

    def wait():
        try:
            sandbox.call("sandbox_targets:hang", {})
        except Exception as error:
            failed.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while sandbox.process_id is None:
        time.sleep(0.01)
    process_id = sandbox.process_id
    sandbox.end()
    waiting.join(30)
    assert not waiting.is_alive() and isinstance(failed[0], L9Error) and gone(process_id)
    with pytest.raises(L9Error, match="the sandbox has ended"):
        sandbox.call("sandbox_targets:read", {})
    assert sandbox.process_id is None


def test_the_child_is_gone_after_close():
    with Sandbox(imports=("sandbox_targets",), path=(HERE,)) as sandbox:
        sandbox.call("sandbox_targets:read", {})
        process_id = sandbox.process_id
    assert gone(process_id) and sandbox.process_id is None


@pytest.mark.parametrize("busy", ["read", "spin"])
def test_the_child_dies_with_its_parent(busy):
    """Even killed without a chance to tidy up, and even while the child is computing."""
    script = (
        "import sys, threading, time; from pathlib import Path; from l9.sandbox.parent import Sandbox\n"
        f"sandbox = Sandbox(imports=('sandbox_targets',), path=(Path({str(HERE)!r}),))\n"
        "sandbox.call('sandbox_targets:read', {}); print(sandbox.process_id, flush=True)\n"
        f"sandbox.call('sandbox_targets:{busy}', {{}}); time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    assert gone(child)


def test_an_import_that_fails_says_so():
    with Sandbox(imports=("no_such_module",)) as sandbox, pytest.raises(L9Error, match="No module named 'no_such_module'") as caught:
        sandbox.call("sandbox_targets:read", {})
    assert type(caught.value) is L9Error and "\n" not in str(caught.value)  # not SandboxError: the object is not to blame


def test_a_start_that_takes_too_long_is_not_the_objects_fault(monkeypatch):
    monkeypatch.setattr("l9.sandbox.parent.START_SECONDS", 0.01)
    with Sandbox() as sandbox, pytest.raises(L9Error, match=r"did not start: more than 0\.01 s") as caught:
        sandbox.call("sandbox_targets:read", {})
    assert type(caught.value) is L9Error


def test_an_answer_in_parts_is_one_answer(sandbox):
    answer = sandbox.call("sandbox_targets:in_parts", {"count": 5, "size": 3})
    assert answer.value == {"made": 5}
    assert [one.tolist() if isinstance(one, np.ndarray) else one for one in answer.buffers] == [
        one for number in range(5) for one in ([number] * 3, bytes([number]))
    ]


def test_parts_may_be_larger_together_than_the_childs_memory(sandbox):
    answer = sandbox.call("sandbox_targets:in_parts", {"count": 100, "size": 1 << 20})  # 400 MiB of 256
    assert len(answer.buffers) == 200
    assert (answer.buffers[198] == 99).all() and answer.buffers[199] == b"c"


def test_a_refusal_after_a_part_is_a_refusal(sandbox):
    with pytest.raises(RefusedObject, match="half-way"):
        sandbox.call("sandbox_targets:cut_short", {})
    assert list(sandbox.call("sandbox_targets:in_parts", {"count": 1, "size": 1}).buffers) == [np.zeros(1), b"\0"]
    assert sandbox.deaths == 0


def test_an_answer_without_end_is_stopped_at_its_size():
    with Sandbox(Limits(answer_bytes=100 << 20), imports=("sandbox_targets",), path=(HERE,)) as sandbox:
        with pytest.raises(RefusedObject, match="object-too-large"):
            sandbox.call("sandbox_targets:without_end", {})
        assert sandbox.call("sandbox_targets:echo", {"dtype": "int64", "shape": [1]}).value["shape"] == [1]
