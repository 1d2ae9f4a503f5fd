"""What crosses the sandbox's pipe: a function's name and plain arguments in; plain JSON and raw arrays out.

A function that runs in the child has the form

    def process(files: Sequence[BinaryIO], **arguments: Json) -> Answer | Stream | Json

`files` are open where they are few; where they are many, such as the frames of a recording, each is opened when it is asked for
(`files[number]`), and whoever asked closes it. Plain JSON stands for an answer without buffers; a `Stream` sends its buffers in parts,
as they are made, so that the child never holds them all. A function is named by "module:function" by the parent alone. Nothing is
pickled in either direction.
"""

import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from numpy import ndarray

from l9.fingerprint import Json

PART = "part"  # the status of a message that is not the last one
OPEN = "open"  # of one that asks for the file of a number, which is answered by its descriptor

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
GONE = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT}  # a disk, or the network it hangs on


def machine_fault(error: BaseException) -> bool:
    """Whether an exception tells of the machine (a package or a right missing, a disk full or gone), and so of no object's bytes."""
    return isinstance(error, ImportError) or (isinstance(error, OSError) and error.errno in FULL | CLOSED | GONE)


@dataclass
class Answer:
    """What came back.

    value    plain JSON
    buffers  arrays and byte strings, in order
    """

    value: Json = None
    buffers: Sequence[ndarray | bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Stream:
    """An answer that is sent while it is made.

    parts   buffers, some at a time; the caller gets them as one sequence
    value   called when all parts have been sent: plain JSON
    """

    parts: Iterator[Sequence[ndarray | bytes]]
    value: Callable[[], Json]


@dataclass(frozen=True)
class Limits:
    """What one call may use.

    memory_bytes      address space above the child's own after its imports
    cpu_seconds       processor time of one call
    wall_seconds      time of one call as the parent's clock sees it
    file_bytes        size of an input file; larger ones are refused unopened (`too-large`)
    answer_bytes      what an answer's buffers may take together; the parent keeps many of them on disk
    descriptors       files open at once
    recycle_bytes     resident growth after which the child is replaced between calls
    """

    memory_bytes: int = 2 << 30
    cpu_seconds: int = 120
    wall_seconds: float = 240.0
    file_bytes: int = 1 << 30
    answer_bytes: int = 2 << 30
    descriptors: int = 64
    recycle_bytes: int = 1 << 30
