"""What a reader module has: `find` lists the objects below a root, and `read` turns one object's bytes into a Mesh or a PointCloud.

Both run in the sandbox child. A module says `VERSION` (an integer that grows when `read` would give other arrays) and

    def find(root: Path, **parameters) -> Iterator[Found]
    def read(files: Sequence[BinaryIO], found: Found, up: Axis, **parameters) -> Mesh | PointCloud

`find` opens nothing but catalogs (lists, indexes, the labels of an HDF5 file); `read` is given its files opened read-only by the
parent, in the order of `found.files`, and opens none itself; more files than a few are opened when they are asked for (`files[3]`), and
closed by the reader. What cannot be used is refused with `RefusedObject(reason, detail)`.
"""

from dataclasses import dataclass, field
from typing import Any

from l9.fingerprint import Json

REFUSE = "refuse"  # a fact [reason, detail]: `find` knows already that this object cannot be used, and it goes to quarantine


@dataclass(frozen=True, slots=True)
class Found:
    """One object as a reader's `find` lists it.

    id      path below the root, extension included, or the id the card's labels use; unique in the dataset
    files   input files, below the root, the first being the object itself: what its key digests
    member  what is read inside the first file, where that is an archive
    label   class name, "" where unknown
    split   "train", "validation", "test", or "" where folds or a seeded hash decide
    facts   what a catalog says and `read` needs: size in metres, rotation, name
    """

    id: str
    files: tuple[str, ...]
    member: str = ""
    label: str = ""
    split: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Json]:
        """As plain JSON."""
        return {
            "id": self.id,
            "files": list(self.files),
            "member": self.member,
            "label": self.label,
            "split": self.split,
            "facts": self.facts,
        }

    @staticmethod
    def from_plain(value: dict[str, Any]) -> "Found":
        """Back from `describe`."""
        return Found(**{**value, "files": tuple(value["files"])})
