"""Emoji of 64x64 RGBA pixels by two makers, the same ones in two styles, as the npm packages `emoji-datasource-<vendor>` hold them.

    emoji-datasource-google/{emoji.json,img/google/64/1f600.png}, emoji-datasource-twitter/... : one folder a package, any of the two

`emoji.json` is the catalog of both: what it says has a picture is planned. A label is the emoji's category. One hash parts the emoji, by
*base* emoji: its skin tones stay together, in both styles. So do emoji of which a maker draws the same picture: what one entry
says that another replaces, families, and the few of SAME (seen in version 16.0.0).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from l9.errors import RefusedObject, UsageError
from l9.geometry.image import Image
from l9.geometry.mesh import Axis
from l9.readers.contract import REFUSE, Found
from l9.readers.images import read_picture
from l9.readers.lists import check_root, hashed_split, read_json, safe_name

VERSION = 1
VENDORS = ("google", "twitter")
CATALOG = "emoji.json"
FAMILY = "FAMILY"  # how their names begin; one silhouette stands for several
SAME = (  # flags of territories, and two ways to a blonde woman
    *("1F1E6-1F1FA 1F1ED-1F1F2", "1F1F3-1F1F4 1F1F8-1F1EF 1F1E7-1F1FB", "1F1EB-1F1F7 1F1E8-1F1F5 1F1F2-1F1EB", "1F1F8-1F1E6 1F1E8-1F1F6"),
    *("1F1EE-1F1F4 1F1E9-1F1EC", "1F1EA-1F1F8 1F1EA-1F1E6", "1F1FA-1F1F8 1F1FA-1F1F2", "1F469 1F471-200D-2640-FE0F"),
)
SIZE = (64, 64)  # pixels


def find(root: Path, vendors: Sequence[str] = VENDORS) -> Iterator[Found]:
    """Every picture: ids `google/1f44d-1f3fb.png`, labels categories.

    vendors  whose; all their packages must be there
    raises   UsageError where a vendor is unknown or `root` lacks a package, RefusedObject `bad-catalog` or `missing-file`
    """
    if not vendors or not set(vendors) <= set(VENDORS) or len(set(vendors)) < len(vendors):
        raise UsageError(f"parameters.vendors is {list(vendors)}; expected some of {' '.join(VENDORS)}, each once")
    for vendor in vendors:
        catalog = f"emoji-datasource-{vendor}/{CATALOG}"
        check_root(root, lambda folder, catalog=catalog: (folder / catalog).is_file(), catalog)  # type: ignore[misc]
        for entry in read_json(root, catalog, _is_entry, "an emoji: name, unified, image, category"):
            split = hashed_split(_group(entry))
            for one in (entry, *entry.get("skin_variations", {}).values()):
                if one.get(f"has_img_{vendor}"):
                    yield _found(root, vendor, one["image"], entry["category"], split)


def read(files: Sequence[BinaryIO], found: Found, up: Axis, vendors: Sequence[str] = VENDORS) -> Image:
    """One emoji with alpha; RefusedObject as `read_picture`, `wrong-size` for other than 64x64, `no-alpha`."""
    del up, vendors
    image = read_picture(files[0], found.files[0], SIZE)
    if image.alpha is None:
        raise RefusedObject("no-alpha", "a picture without transparency; expected RGBA")
    return image


def _found(root: Path, vendor: str, image: str, category: str, split: str) -> Found:
    file = f"emoji-datasource-{vendor}/img/{vendor}/64/{image}"
    facts = {} if (root / file).is_file() else {REFUSE: ["missing-file", f"{file} is not there"]}
    return Found(f"{vendor}/{image}", (file,), "", category, split, facts)


def _group(entry: dict[str, Any]) -> str:
    """What is parted as one."""
    if entry["name"].startswith(FAMILY):
        return FAMILY
    base = entry.get("obsoleted_by") or entry["unified"]
    return next((same.split()[0] for same in SAME if base in same.split()), base)


def _is_entry(value: Any) -> bool:
    if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in ("name", "unified", "category")):
        return False
    tones = value.get("skin_variations", {})
    pictures = [value, *tones.values()] if isinstance(tones, dict) else [None]
    named = isinstance(value.get("obsoleted_by", ""), str) and value["category"].isprintable()
    return named and all(isinstance(one, dict) and _is_picture(one.get("image")) for one in pictures)


def _is_picture(name: Any) -> bool:
    return isinstance(name, str) and safe_name(name) and name.endswith(".png")
