"""The listing of a dataset: a reader's `find` in the child, and the `Listing` that the parent makes of its answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from l9.fingerprint import Json
from l9.readers.listing import Listing, packed
from l9.readers.process import find_of
from l9.sandbox.contract import Answer
from l9.sandbox.parent import Sandbox

LISTING_SECONDS = 3600.0  # a dataset of 50,000 folders on a slow share; the sandbox's own limit is for one object


def find_objects(files: Sequence[BinaryIO], *, reader: str, root: str, parameters: dict[str, Any]) -> Answer:
    """In the child: every object below `root` as packets.

    reader  "module:read", as a card names it; the module's `find` is called
    raises  UsageError where the root is not there, or the reader's own
    """
    return Answer(None, list(packed(find_of(reader)(Path(root), **parameters))))


def listed(sandbox: Sandbox, reader: str, root: Path, parameters: dict[str, Json]) -> Listing:
    """In the parent: what the reader lists below `root`.

    raises  as `Sandbox.call`; RefusedObject `duplicate-id` naming it
    """
    arguments: dict[str, Json] = {"reader": reader, "root": str(root.resolve()), "parameters": parameters}
    answer = sandbox.call("l9.sandbox.listing:find_objects", arguments, wall_seconds=LISTING_SECONDS, cpu_seconds=int(LISTING_SECONDS))
    return Listing.of_packets(list(answer.buffers))
