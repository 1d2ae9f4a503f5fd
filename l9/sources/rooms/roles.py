"""What part a piece of furniture can play in a room: a dining table is a table of a dining table's height, and so on.

The furniture set's classes are wide (its plants reach from a cactus to a palm tree, its doors to a garage's), so that a role is told
by the class, the words of the name and the size. What fits no rule has no role and stands in no room.
"""

from dataclasses import dataclass
from functools import cache

ANY = (0.0, 9.0)


@dataclass(frozen=True)
class Rule:
    """When an object of a class plays a role.

    words    one of these is in the name, in lower case; none: every name will do
    without  none of these is in the name
    width, depth, height  metres, least and most
    """

    role: str
    kind: str
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    width: tuple[float, float] = ANY
    depth: tuple[float, float] = ANY
    height: tuple[float, float] = ANY

    def holds(self, name: str, size: tuple[float, float, float]) -> bool:
        """Whether an object of its class, of this name in lower case and this width, depth and height, plays the role."""
        named = not self.words or any(word in name for word in self.words)
        sized = all(low <= side <= high for side, (low, high) in zip(size, (self.width, self.depth, self.height), strict=True))
        return named and sized and not any(word in name for word in self.without)


OUTDOOR = ("stone", "street", "lamppost", "outdoor", "porch", "camping", "park", "flashlight", "spot")
OVERHEAD = ("hanging", "pendant", "ceiling", "fluorescent", "chandelier", "track")
RULES = (  # the first one that holds counts
    Rule("armchair", "armchair"),
    Rule("bathtub", "bathtub", width=(1.2, 2.3)),
    Rule("bed", "bed", width=(0.6, 2.3)),
    Rule("bench", "bench", without=("abdominal", "concrete"), depth=(0.3, 0.7)),
    Rule(
        "box",
        "box",
        words=("suitcase", "crate", "trunck", "cardboard", "clothes", "box"),
        without=("flower", "letters", "medicine", "bread", "office"),
        width=(0.3, 1.05),
        height=(0.2, 0.8),
    ),
    Rule("upper cabinet", "cabinet", words=("upper cabinet", "glass door"), without=("corner",), height=(0.5, 0.9)),
    Rule("lower cabinet", "cabinet", words=("lower cabinet", "kitchen cabinet"), without=("corner",), height=(0.8, 0.95)),
    Rule("vanity", "cabinet", words=("vanity", "washbasin")),
    Rule("kitchen sink", "cabinet", words=("sink",)),
    Rule("cabinet", "cabinet", without=("corner", "island", "upper", "extension"), height=(0.4, 2.3)),
    Rule("chair", "chair", without=("baby", "child", "bar", "deck"), width=(0.3, 0.8), depth=(0.3, 0.75), height=(0.7, 1.25)),
    Rule("computer", "computer", words=("laptop", "imac", "ibook")),
    Rule("small thing", "computer", words=("printer",)),
    Rule("desk", "desk"),
    Rule(
        "door", "door", without=("garage", "frame", "elevator", "shower", "round"), width=(0.7, 1.1), depth=(0.0, 0.3), height=(1.9, 2.15)
    ),
    Rule("lower cabinet", "dresser", words=("drawers cabinet",), height=(0.8, 0.95)),
    Rule("dresser", "dresser", without=("freezer", "dressing")),
    Rule("small thing", "fan", without=("ceiling",)),
    Rule("small appliance", "kitchen_appliance", without=("hood", "squeezer", "grinder", "fryer"), height=(0.1, 0.45)),
    Rule("ceiling lamp", "lamp", words=OVERHEAD, width=(0.1, 1.1), depth=(0.1, 0.9), height=(0.03, 0.9)),
    Rule("wall lamp", "lamp", words=("wall",), without=("spot",), height=(0.1, 0.6)),
    Rule("table lamp", "lamp", without=(*OUTDOOR, *OVERHEAD), width=(0.1, 0.45), height=(0.3, 0.75)),
    Rule("floor lamp", "lamp", without=(*OUTDOOR, *OVERHEAD), width=(0.1, 0.7), height=(1.2, 2.0)),
    Rule("nightstand", "nightstand"),
    Rule("stove", "oven", without=("double",), height=(0.8, 1.0)),
    Rule("small thing", "phone", words=("phone",), without=("xylo", "head")),
    Rule("piano", "piano", depth=(0.3, 0.7)),
    Rule("small plant", "plant", without=("tree", "hedge", "box"), width=(0.1, 0.5), depth=(0.1, 0.5), height=(0.1, 0.6)),
    Rule("large plant", "plant", without=("hedge", "bush", "snow"), width=(0.2, 1.3), depth=(0.2, 1.3), height=(0.55, 2.1)),
    Rule("radiator", "radiator", words=("radiator",), depth=(0.0, 0.3), height=(0.4, 1.2)),
    Rule("refrigerator", "refrigerator"),
    Rule("bookshelf", "shelf", width=(0.4, 2.6), height=(0.7, 2.3)),
    Rule("shower", "shower", words=("stall", "shower"), width=(0.7, 1.2), height=(1.9, 2.3)),
    Rule("kitchen sink", "sink", width=(0.9, 1.3), height=(0.85, 1.25)),
    Rule("washbasin", "sink", width=(0.4, 0.7), height=(0.8, 1.0)),
    Rule("hung washbasin", "sink", words=("washbasin", "lavatory"), width=(0.4, 0.8), height=(0.3, 0.6)),
    Rule("sofa", "sofa", width=(1.2, 2.9), height=(0.4, 1.2)),
    Rule("stool", "stool", depth=(0.2, 0.7), height=(0.4, 1.2)),
    Rule("dining table", "table", without=("pool", "football", "changing", "technical", "child"), width=(0.6, 2.4), height=(0.62, 0.85)),
    Rule("coffee table", "table", without=("child",), width=(0.5, 1.5), depth=(0.4, 1.0), height=(0.35, 0.6)),
    Rule("toilet", "toilet", without=("urinal",), depth=(0.5, 0.9)),
    Rule("trashcan", "trashcan", without=("park",), width=(0.1, 0.6)),
    Rule("wall television", "tv_screen", words=("wall",)),
    Rule("television", "tv_screen", words=("tv",), without=("remote",), width=(0.5, 1.3), height=(0.4, 0.85)),
    Rule("tv stand", "tv_stand", height=(0.3, 0.8)),
    Rule("cabinet", "tv_stand"),
    Rule("wardrobe", "wardrobe", height=(1.5, 2.4)),
    Rule("washer", "washer", height=(0.7, 1.0)),
    Rule("window", "window", without=("round", "arched", "triangle"), width=(0.5, 1.9), depth=(0.0, 0.4), height=(0.9, 2.2)),
    *(Rule("small thing", kind, height=(0.02, 0.55)) for kind in ("audio", "bottle", "cup", "plate_bowl", "vase")),
)


@cache
def role_of(kind: str, name: str, size: tuple[float, float, float]) -> str:
    """The part that an object of a class, a name and a width, depth and height in metres can play, "" for none."""
    for rule in RULES:
        if rule.kind == kind and rule.holds(name.lower(), size):
            return rule.role
    return ""
