"""What a column is: a name, what one cell holds, and how that is laid out in Arrow.

fixed   every row has one array of one shape     FixedSizeList, shape in the field's metadata
ragged  every row has n items of one shape       LargeList of values, plus a `<name>_shape` column (int64 list)
blob    every row has bytes (jpeg, zlib)         LargeBinary
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy import ndarray

from l9.errors import ShapeError, StoreError
from l9.fingerprint import Json, canonical
from l9.typed import from_plain

Cell = ndarray | bytes
Row = dict[str, Cell]
"""One row of a stage's output: column name -> array (fixed: exactly `shape`; ragged: (n, *shape)) or bytes (blob)."""

MAX_ROW_BYTES = 64 << 20  # a larger thing is cut into blocks by its stage


@dataclass(frozen=True)
class Column:
    """One named column of a store.

    shape  fixed: of the cell; ragged: of one item (the cell is (n, *shape)); blob: ()
    axes   what each dimension of the cell is, in words: "rotation x y z", "point xyz"
    unit   "occupied", "box" (units of the normalised box), "metre", "intensity", ""
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()
    kind: Literal["fixed", "ragged", "blob"] = "fixed"
    unit: str = ""
    axes: str = ""

    def describe(self) -> dict[str, Json]:
        """The column as plain JSON, for manifests and field metadata."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "kind": self.kind,
            "unit": self.unit,
            "axes": self.axes,
        }

    @classmethod
    def from_plain(cls, described: dict[str, Any]) -> "Column":
        """The column that `describe` describes; StoreError names a field that is unknown, missing or of another type."""
        column: Column = from_plain(cls, described, f"column {described.get('name', '')}", StoreError)
        return column

    @property
    def size(self) -> int:
        """Values in one fixed cell, or in one item of a ragged cell."""
        return int(np.prod(self.shape, dtype=np.int64))

    def fields(self) -> list[pa.Field]:
        """The Arrow fields that hold this column."""
        metadata = {key: value if isinstance(value, str) else canonical(value) for key, value in self.describe().items()}
        if self.kind == "blob":
            return [pa.field(self.name, pa.large_binary(), nullable=False, metadata=metadata)]
        value = pa.field("item", pa.from_numpy_dtype(np.dtype(self.dtype)), nullable=False)
        if self.kind == "fixed":
            return [pa.field(self.name, pa.list_(value, self.size), nullable=False, metadata=metadata)]
        return [
            pa.field(self.name, pa.large_list(value), nullable=False, metadata=metadata),
            pa.field(f"{self.name}_shape", pa.list_(pa.int64(), 1 + len(self.shape)), nullable=False),
        ]

    def checked(self, cell: Cell) -> Cell:
        """`cell` as this column stores it (C-contiguous, the column's dtype), or ShapeError."""
        if self.kind == "blob":
            if not isinstance(cell, bytes):
                raise ShapeError(f"column {self.name} holds bytes; got {type(cell).__name__}")
            return cell
        if not isinstance(cell, ndarray):
            raise ShapeError(f"column {self.name} holds arrays; got {type(cell).__name__}")
        shape = cell.shape if self.kind == "fixed" else cell.shape[1:]
        if shape != self.shape or (self.kind == "ragged" and cell.ndim != 1 + len(self.shape)):
            raise ShapeError(f"column {self.name} has shape {self.shape}; got {cell.shape}")
        if cell.dtype != np.dtype(self.dtype):
            raise ShapeError(f"column {self.name} is {self.dtype}; got {cell.dtype}")
        return np.ascontiguousarray(cell).reshape(cell.shape)  # which would make a single number a vector of one
