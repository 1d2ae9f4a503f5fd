"""Whole files of text, bounded by line: one line of 40 MB would become hundreds of millions of small objects."""

from typing import BinaryIO

from l9.errors import RefusedObject

LINE_BYTES = 1 << 20  # a face of 100,000 corners has about 700 KB


def read_whole(stream: BinaryIO) -> bytes:
    """All bytes of an open file; RefusedObject `empty-file` where there are none, or white space alone."""
    data = stream.read()
    if not data.strip():
        raise RefusedObject("empty-file", f"{len(data):,} bytes")
    return data


def plain_text(data: bytes) -> bytes:
    """`data` without a byte order mark and with `\\n` at the end of every line; RefusedObject `line-too-long`."""
    text = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    start = 0
    while len(text) - start > LINE_BYTES:
        end = text.rfind(b"\n", start, start + LINE_BYTES + 1)
        if end < 0:
            raise RefusedObject("line-too-long", f"a line of more than {LINE_BYTES:,} bytes")
        start = end + 1
    return text
