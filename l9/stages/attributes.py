"""Yield: what a dataset says of each picture, such as CelebA's 40 attributes of a face."""

from collections.abc import Iterator

from l9.errors import RefusedObject
from l9.geometry.image import Image
from l9.stages.contract import yields
from l9.stages.limits import check_number
from l9.store.columns import Column, Row

MOST = 1000


def _columns(count: int = 40) -> tuple[Column, ...]:
    check_number("attributes", "count", count, most=MOST)
    return (Column("attributes", "int8", (count,), axes="attribute"),)


@yields(columns=_columns, version=1)
def attributes(image: Image, count: int = 40) -> Iterator[Row]:
    """One row: `attributes`, int8 (count,), -1 no and 1 yes, in the dataset's order; RefusedObject `no-attributes` for another number."""
    _columns(count)
    if image.attributes is None or len(image.attributes) != count:
        there = 0 if image.attributes is None else len(image.attributes)
        raise RefusedObject("no-attributes", f"a picture with {there:,} attributes; expected {count:,}")
    yield {"attributes": image.attributes}
