"""Colours of materials that a model names and no file describes: 88 models of Sweet Home 3D's own jar have names alone.

The names are those of an old exporter (`flblonde`, `dkdkgrey`); the colours are what the words say, chosen by eye.
"""

import re

Colour = tuple[float, float, float]
PLAIN: Colour = (0.7, 0.7, 0.7)
WORDS: dict[str, Colour] = {  # the first word that a name holds decides: longer ones stand before what they contain
    "blonde": (0.85, 0.72, 0.52),
    "archwhite": (0.93, 0.92, 0.89),
    "white": (0.93, 0.93, 0.93),
    "bone": (0.88, 0.84, 0.73),
    "silver": (0.75, 0.76, 0.78),
    "chrome": (0.75, 0.76, 0.78),
    "steel": (0.6, 0.62, 0.65),
    "dkdkgr": (0.2, 0.2, 0.2),
    "dkdkblue": (0.08, 0.1, 0.22),
    "dkgr": (0.35, 0.35, 0.35),
    "dkblue": (0.13, 0.18, 0.4),
    "dkred": (0.4, 0.08, 0.08),
    "ltgr": (0.8, 0.8, 0.8),
    "lltgr": (0.8, 0.8, 0.8),
    "bluegr": (0.45, 0.52, 0.6),
    "yellow_green": (0.6, 0.75, 0.25),
    "yellowbrt": (0.98, 0.88, 0.2),
    "yellow": (0.92, 0.82, 0.35),
    "amber": (0.85, 0.6, 0.25),
    "orange": (0.9, 0.5, 0.15),
    "flame": (0.95, 0.55, 0.15),
    "redwood": (0.5, 0.25, 0.16),
    "wood": (0.6, 0.42, 0.25),
    "ltbrown": (0.62, 0.47, 0.33),
    "brown": (0.42, 0.28, 0.18),
    "sand": (0.8, 0.72, 0.55),
    "tan": (0.78, 0.65, 0.48),
    "skin": (0.85, 0.67, 0.55),
    "flesh": (0.88, 0.7, 0.58),
    "lips": (0.65, 0.35, 0.33),
    "teeth": (0.93, 0.92, 0.86),
    "iris": (0.4, 0.35, 0.65),
    "teal": (0.15, 0.5, 0.5),
    "ruby": (0.6, 0.08, 0.15),
    "red": (0.7, 0.13, 0.12),
    "green": (0.25, 0.5, 0.25),
    "blue": (0.2, 0.32, 0.65),
    "pink": (0.9, 0.65, 0.7),
    "black": (0.06, 0.06, 0.06),
    "mirror": (0.8, 0.84, 0.86),
    "glass": (0.75, 0.82, 0.85),
    "grey": (0.55, 0.55, 0.55),
    "gray": (0.55, 0.55, 0.55),
}
WORD = re.compile("|".join(WORDS))


def colour_named(name: str) -> Colour:
    """sRGB 0..1 of the first colour word in a material's name, PLAIN where there is none."""
    found = WORD.search(name.lower())
    return WORDS[found[0]] if found else PLAIN
