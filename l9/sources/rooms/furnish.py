"""What stands in which kind of room, from the large things to the small ones."""

import math
from collections.abc import Callable

from l9.sources.rooms import groups, made
from l9.sources.rooms.boxes import Box
from l9.sources.rooms.hung import hang_all
from l9.sources.rooms.placing import Arrangement, at_wall, size_of
from l9.sources.rooms.surfaces import carpet
from l9.sources.rooms.thing import Material, Thing
from l9.sources.rooms.tops import put_on

REACH = {
    "wardrobe": 0.6,
    "bookshelf": 0.5,
    "refrigerator": 0.7,
    "toilet": 0.5,
    "washbasin": 0.5,
    "dresser": 0.5,
    "cabinet": 0.5,
    "washer": 0.5,
}
REACH |= {"vanity": 0.5, "shower": 0.5, "bathtub": 0.5, "piano": 0.7, "desk": 0.7}  # metres that stay free before a thing to use it
LARGE = {  # kind of room -> what may stand along its walls after its groups
    "living room": (
        "bookshelf",
        "cabinet",
        "dresser",
        "piano",
        "bookshelf",
        "armchair",
        "large plant",
        "floor lamp",
        "bench",
        "desk",
        "box",
    ),
    "bedroom": ("wardrobe", "dresser", "bookshelf", "desk", "armchair", "floor lamp", "large plant", "wardrobe", "box", "cabinet"),
    "kitchen": ("cabinet", "cabinet", "trashcan", "large plant", "stool", "bench", "bookshelf", "box"),
    "bathroom": ("bathtub", "toilet", "washbasin", "vanity", "shower", "washer", "cabinet", "trashcan", "stool", "large plant", "box"),
    "office": (
        "bookshelf",
        "cabinet",
        "bookshelf",
        "cabinet",
        "large plant",
        "trashcan",
        "armchair",
        "box",
        "sofa",
        "wardrobe",
        "bookshelf",
    ),
    "dining room": ("cabinet", "dresser", "bookshelf", "sofa", "large plant", "floor lamp", "bench", "piano", "cabinet", "armchair"),
}
LARGEST = {"bathroom": (4.0, 3.8), "kitchen": (5.0, 4.5), "bedroom": (5.0, 5.0), "office": (5.5, 5.0)}  # metres, where not as a plan allows
GROUPS: dict[str, tuple[Callable[[Arrangement], None], ...]] = {
    "living room": (groups.lounge, groups.dining),
    "bedroom": (groups.bedroom, groups.desk),
    "kitchen": (groups.kitchen, groups.dining),
    "bathroom": (),
    "office": (groups.desk, groups.desk, groups.desk),
    "dining room": (groups.dining, groups.lounge),
}
SMALL_ROOM = 12.0  # square metres: below this the second and third groups are left out more often than not
TOPS = {  # where a thing stands that stands on others
    "table lamp": ("nightstand", "dresser", "desk", "cabinet", "coffee table"),
    "small plant": ("dining table", "coffee table", "dresser", "cabinet", "counter", "lower cabinet", "bookshelf", "piano"),
    "small appliance": ("counter", "lower cabinet", "dining table"),
    "small thing": ("dining table", "coffee table", "desk", "counter", "lower cabinet", "dresser", "vanity", "cabinet", "nightstand"),
    "books": ("desk", "coffee table", "nightstand", "dresser", "dining table"),
}
RUG = 0.008  # metres thick
DRY, WET = tuple(TOPS), ("small plant", "small appliance", "small thing")
HIGHEST_TOP = 1.45  # metres: nobody sees what stands above


def furnish(room: Arrangement, kind: str, fullness: float) -> None:
    """Furnish a room of a kind; `fullness` 1 brings all that has room, 0 only the first group and two large things."""
    for number, group in enumerate(GROUPS[kind]):
        spacious = room.plan.area > SMALL_ROOM or room.chance(0.4)
        if number == 0 or (spacious and room.chance(fullness)):
            group(room)
    for number, role in enumerate(LARGE[kind]):
        if number >= 2 and not room.chance(0.9 * fullness):
            continue
        if role == "desk":
            groups.desk(room)
        else:
            at_wall(room, room.pick(role), reach=REACH.get(role, 0.0))
    if room.chance(fullness):
        at_wall(room, room.pick("radiator", most=1.5), low=0.1)
    hang_all(room, kind, round(4 * fullness) + 1)
    _small_things(room, round(10 * fullness) + 2, DRY if kind not in ("bathroom", "kitchen") else WET)
    _rug(room, kind)


def _small_things(room: Arrangement, count: int, roles: tuple[str, ...]) -> None:
    """Lamps, plants, books and other small things on tables, desks, cabinets and worktops."""
    for _ in range(count):
        role = roles[int(room.random.integers(len(roles)))]
        hosts = [number for number in room.numbers(*TOPS[role]) if room.placed[number].box.high < HIGHEST_TOP]
        if not hosts:
            continue
        host, turn = hosts[int(room.random.integers(len(hosts)))], float(room.random.uniform(-0.6, 0.6))
        if role == "books":
            width, depth, height = room.random.uniform([0.14, 0.18, 0.03], [0.2, 0.27, 0.2])
            size = (float(width), float(depth), float(height))
            put_on(room, host, role, Thing(made.books(size, room.random), "books", "books"), size, turn=turn)
        elif furniture := room.pick(role, most=0.6):
            put_on(room, host, role, room.standing(furniture), size_of(furniture), turn=turn)


def _rug(room: Arrangement, kind: str) -> None:
    """A mat on a free part of the floor."""
    if not room.chance(0.6):
        return
    name, most = ("bath mat", 1.0) if kind == "bathroom" else ("rug", 2.4)
    for _ in range(20):
        width, depth = (float(side) for side in room.random.uniform([0.6, 0.4], [most, 0.65 * most]))
        x, y = room.random.uniform([0, 0], [room.plan.width, room.plan.depth])
        box = Box(float(x), float(y), width, depth, 0.0, RUG, float(room.random.integers(2)) * math.pi / 2)
        if room.plan.holds(box.grown(0.1)) and room.clear(box):
            model = made.plain((width, depth, RUG), Material((1.0, 1.0, 1.0), carpet(room.random)))
            room.add(box, "rug", Thing(model, "floor mat", name))
            return
