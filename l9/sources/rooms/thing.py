"""What a room is made of: models with materials, things that stand at their places, lights, and the path of a camera."""

from dataclasses import dataclass

from jaxtyping import Float
from numpy import ndarray

from l9.geometry.model import Material, Model
from l9.readers.scannet_labels import BENCHMARK

__all__ = ["NYU40", "Light", "Material", "Model", "Room", "Thing"]

NYU40 = {  # NYU's 40 classes: what a label may be; ScanNet's benchmark leaves all but its own 20 out
    **BENCHMARK,
    "blinds": 13,
    "shelves": 15,
    "dresser": 17,
    "pillow": 18,
    "mirror": 19,
    "floor mat": 20,
    "clothes": 21,
    "ceiling": 22,
    "books": 23,
    "television": 25,
    "paper": 26,
    "towel": 27,
    "box": 29,
    "whiteboard": 30,
    "person": 31,
    "night stand": 32,
    "lamp": 35,
    "bag": 37,
    "otherstructure": 38,
    "otherprop": 40,
}


@dataclass(frozen=True)
class Thing:
    """A model at its place in a room.

    label   a key of `NYU40`
    name    what it is in a few words, such as its class in the furniture set; stands in ScanNet's labels as `raw_category`
    source  id of the furniture model, "" for walls and what else l9 makes itself
    """

    model: Model
    label: str
    name: str
    source: str = ""


@dataclass(frozen=True)
class Light:
    """A lamp that shines into every direction; brightness falls with the square of the distance.

    place   metres
    power   RGB: brightness, 1 metre away, of a white surface that faces it
    """

    place: Float[ndarray, "3"]
    power: tuple[float, float, float]


@dataclass(frozen=True)
class Room:
    """Everything that is in a room, and the way a camera takes through it.

    things  instance k of the labels is things[k - 1]
    poses   camera-to-world of each frame, metres, OpenCV axes; the world has +Z up and the floor at z = 0
    """

    things: tuple[Thing, ...]
    lights: tuple[Light, ...]
    poses: Float[ndarray, "frames 4 4"]
