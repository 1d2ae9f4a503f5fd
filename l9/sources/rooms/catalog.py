"""Which furniture may stand in a room: its label, the part it can play there, and the split it belongs to."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from l9.errors import UsageError
from l9.readers.contract import Found
from l9.sources.rooms.roles import role_of

LONGEST, SHORTEST = 3.0, 0.02  # metres: what is larger stands in no room, what is smaller no depth camera sees
SPLIT_FOLDS = {"train": (2, 3, 4), "validation": (1,), "test": (0,)}  # no model, and no family of models, is in two splits
LABEL_OF = {  # class of the furniture set -> name among NYU's 40
    "animal": "otherprop",
    "armchair": "chair",
    "audio": "otherprop",
    "ball": "otherprop",
    "bathtub": "bathtub",
    "bed": "bed",
    "bench": "otherfurniture",
    "bike": "otherprop",
    "bottle": "otherprop",
    "box": "box",
    "cabinet": "cabinet",
    "car": "otherprop",
    "chair": "chair",
    "clothing": "clothes",
    "computer": "otherprop",
    "cup": "otherprop",
    "cutlery_tool": "otherprop",
    "desk": "desk",
    "door": "door",
    "dresser": "dresser",
    "fan": "otherprop",
    "kitchen_appliance": "otherprop",
    "lamp": "lamp",
    "nightstand": "night stand",
    "oven": "otherfurniture",
    "person": "person",
    "phone": "otherprop",
    "piano": "otherfurniture",
    "plant": "otherprop",
    "plate_bowl": "otherprop",
    "plug_switch": "otherprop",
    "radiator": "otherfurniture",
    "railing_fence": "otherstructure",
    "refrigerator": "refrigerator",
    "shelf": "bookshelf",
    "shower": "otherfurniture",
    "sink": "sink",
    "sofa": "sofa",
    "stairs": "otherstructure",
    "stool": "otherfurniture",
    "table": "table",
    "toilet": "toilet",
    "trashcan": "otherfurniture",
    "truck_bus": "otherprop",
    "tv_screen": "television",
    "tv_stand": "otherfurniture",
    "vase": "otherprop",
    "wardrobe": "cabinet",
    "washer": "otherfurniture",
    "wheelchair": "otherfurniture",
    "window": "window",
}


@dataclass(frozen=True)
class Furniture:
    """One model of the furniture set, as its catalog describes it.

    id      of the model
    kind    its class in the furniture set
    name    in the catalog's words
    width, depth, height  metres, along the model's x, z and y
    fold    0 to 4
    """

    id: str
    kind: str
    name: str
    width: float
    depth: float
    height: float
    fold: int

    @property
    def label(self) -> str:
        """Its name among NYU's 40."""
        return LABEL_OF[self.kind]

    @property
    def role(self) -> str:
        """The part it can play in a room, "" for none; see `l9.sources.rooms.roles`."""
        return role_of(self.kind, self.name, (self.width, self.depth, self.height))


def furniture_of(found: Iterable[Found], rows: Mapping[str, Mapping[str, str]], bad: Collection[str]) -> tuple[Furniture, ...]:
    """The models that have a class, a size and no known fault, in the order of their ids.

    found  the reader's models; `facts["size"]` is width, height and depth in metres
    rows   id -> the card's labels: `class`, `fold` and `name`
    bad    ids that are left out
    """
    usable = []
    for one in found:
        row = rows.get(one.id)
        if row is None or row["class"] not in LABEL_OF or one.id in bad or "size" not in one.facts:
            continue
        width, height, depth = one.facts["size"]
        if max(width, height, depth) <= LONGEST and min(width, height, depth) >= SHORTEST:
            usable.append(Furniture(one.id, row["class"], row["name"], width, depth, height, int(row["fold"])))
    return tuple(sorted(usable, key=lambda one: one.id))


def catalog_of(objects: Iterable[Furniture], split: str) -> tuple[Furniture, ...]:
    """The furniture of one split's rooms: `train`, `validation` or `test`; no model is in two of them. UsageError for another name."""
    if split not in SPLIT_FOLDS:
        raise UsageError(f"no split '{split}'; expected one of {', '.join(SPLIT_FOLDS)}")
    return tuple(one for one in objects if one.fold in SPLIT_FOLDS[split])
