"""Functions the sandbox tests run in the child: good ones, and every bad one we can think of."""

import ctypes
import os
import sys
import time
from pathlib import Path

import numpy as np

from l9.errors import RefusedObject, ShapeError, UsageError
from l9.sandbox import wire
from l9.sandbox.contract import Answer, Stream

kept = []


def echo(files, *, dtype, shape):
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    return Answer({"dtype": dtype, "shape": list(array.shape)}, [array, b"bytes", b"", array])


def read(files):
    return Answer([len(file.read()) for file in files])


def where(files):
    return Answer(
        {"folder": str(Path.cwd()), "inside": [str(path) for path in Path().iterdir()], "environment": sorted(os.environ), "path": sys.path}
    )


def hang(files):
    time.sleep(1000)


def spin(files):
    while True:
        pass


def eat(files):
    return Answer(len(bytearray(4 << 30)))


def eat_quietly(files):
    try:
        bytearray(4 << 30)
    except MemoryError as error:
        raise ValueError("a library's own words") from error


def work(files, *, seconds):
    start = time.process_time()
    while time.process_time() < start + seconds:
        pass
    return Answer("done")


def keep(files, *, size):
    kept.append(bytearray(os.urandom(1 << 10)) * (size >> 10))
    return Answer(os.getpid())


def leave(files):
    os.write(2, b"last words at 0x7f00deadbeef\n")
    os._exit(3)


def crash(files):
    ctypes.string_at(0)


def babble(files, *, stream):
    os.write(stream, b"x" * (10 << 20))
    return Answer("still here")


def fall(files):
    raise ValueError("two\nlines about <thing at 0x7f00deadbeef> " + "long " * 100)


def refuse(files):
    raise RefusedObject("no-faces", "0 faces")


def wrong_words(files):
    raise UsageError("root is not there")


def plain(files):
    return [1, "two", None]


def not_an_answer(files):
    return object()


def nonsense(files):
    return Answer(float("nan"))


def strings(files):
    return Answer(None, [np.array(["a"])])


def write_much(files):
    Path("big").write_bytes(b"x" * (65 << 20))
    return Answer()


def open_many(files):
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1000)]
    return Answer(len(held))


def fail(files, *, number):
    raise OSError(number, os.strerror(number))


def lack(files):
    import no_such_package  # noqa: F401


def lack_memory(files):
    raise ImportError("libfoo.so: failed to map segment from shared object")


def break_own_column(files):
    raise ShapeError("column size has shape (3,); got (2,)")


def mumble(files):
    os.write(2, b"x" * 100_000 + b"\n")
    return Answer()


def once_wrong(files, *, marker):
    if not Path(marker).exists():
        Path(marker).touch()
        os._exit(1)
    return Answer("second time")


def lie(files, *, message):
    """Answer with bytes of our own making: what a taken-over child could send."""
    socket_number = int(sys.argv[1])
    os.write(socket_number, bytes.fromhex(message))
    time.sleep(1000)


def in_parts(files, count, size):
    """So many arrays, each a part of its own; nothing is made before it is sent."""
    made = []

    def parts():
        for number in range(count):
            made.append(number)
            yield [np.full(size, number, np.float32), bytes([number])]

    return Stream(parts(), lambda: {"made": len(made)})


def cut_short(files):
    def parts():
        yield [b"first"]
        raise RefusedObject("half-way", "after a part")

    return Stream(parts(), lambda: None)


def without_end(files):
    def parts():
        while True:
            yield [bytes(1 << 20)]

    return Stream(parts(), lambda: None)


def read_each(files, numbers):
    found = []
    for number in numbers:
        with files[number] as stream:
            found.append(stream.read().decode())
    return Answer({"count": len(files), "found": found})


def read_while_sending(files):
    def parts():
        for number in range(len(files)):
            with files[number] as stream:
                yield [stream.read()]

    return Stream(parts(), lambda: len(files))


def ask_for_nothing(files):
    wire.send(files._connection, wire.pack({"status": "open", "file": 10**6}))
