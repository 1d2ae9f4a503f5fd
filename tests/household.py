"""A household of simple furniture: its catalog, and the same as an archive with a card, for rooms that need no download."""

import json
import zipfile

import yaml

from l9.sources.rooms.catalog import Furniture

SIZES = (  # class, name, width, depth and height of a household, metres
    *[("chair", "Chair", 0.45, 0.5, 0.9), ("armchair", "Armchair", 0.8, 0.8, 0.9), ("sofa", "Sofa", 1.9, 0.9, 0.85)],
    *[("table", "Table", 1.5, 0.8, 0.75), ("table", "Coffee table", 1.1, 0.6, 0.45), ("desk", "Desk", 1.4, 0.7, 0.75)],
    *[("bed", "Bed", 1.4, 2.0, 0.6), ("nightstand", "Bedside table", 0.45, 0.4, 0.5), ("wardrobe", "Wardrobe", 1.2, 0.6, 2.0)],
    *[("cabinet", "Cupboard", 1.0, 0.4, 1.2), ("cabinet", "Lower cabinet", 0.6, 0.6, 0.88), ("cabinet", "Upper cabinet", 0.6, 0.35, 0.7)],
    *[("dresser", "Chest", 1.2, 0.5, 0.8), ("shelf", "Bookcase", 0.9, 0.35, 1.8), ("refrigerator", "Fridge", 0.6, 0.65, 1.8)],
    *[("oven", "Cooker", 0.6, 0.6, 0.85), ("washer", "Washer", 0.6, 0.6, 0.85), ("sink", "Sink", 1.0, 0.6, 0.95)],
    *[("sink", "Washbasin", 0.55, 0.45, 0.9), ("toilet", "Toilet", 0.4, 0.7, 0.75), ("bathtub", "Bath", 1.7, 0.75, 0.6)],
    *[("lamp", "Lamp", 0.3, 0.3, 0.45), ("lamp", "Uplight", 0.3, 0.3, 1.8), ("lamp", "Pendant lamp", 0.4, 0.4, 0.5)],
    *[("computer", "Laptop", 0.33, 0.3, 0.2), ("plant", "Little plant", 0.25, 0.25, 0.3), ("plant", "Ficus", 0.5, 0.5, 1.2)],
    *[("cup", "Cup", 0.09, 0.09, 0.1), ("tv_screen", "Flat TV", 1.0, 0.25, 0.65), ("tv_stand", "TV stand", 1.3, 0.45, 0.5)],
    *[("trashcan", "Dustbin", 0.25, 0.25, 0.35), ("radiator", "Radiator", 0.8, 0.15, 0.6), ("stool", "Stool", 0.4, 0.4, 0.46)],
    *[("door", "Door", 0.9, 0.14, 2.05), ("window", "Window", 1.1, 0.3, 1.3), ("shower", "Shower stall", 0.9, 0.9, 2.0)],
)
CATALOG = tuple(Furniture(f"{kind}-{number}", kind, name, *size, number % 5) for number, (kind, name, *size) in enumerate(SIZES))
CUBE = "".join(f"v {x} {y} {z}\n" for x in (0, 1) for y in (0, 1) for z in (0, 1))
CUBE += "f 1 2 4 3\nf 5 7 8 6\nf 1 5 6 2\nf 3 4 8 7\nf 1 3 7 5\nf 2 6 8 4\n"  # seen from outside


def household_home(folder, **compose):
    """Make `folder` a home in which furniture stands fetched, every model once in each fold, and `folder/datasets` its cards; the home.

    Model n of fold f has the id household-<class>-<n>-<f>; rooms have the settings `compose`.
    """
    models = [(f"{kind}-{number}-{fold}", kind, name, fold, size) for number, (kind, name, *size) in enumerate(SIZES) for fold in range(5)]
    catalog, labels, authors = ["id=l9#household"], ["id,class,fold,name"], ["id,name,author,licence"]
    for number, (identity, kind, name, fold, (width, depth, height)) in enumerate(models, 1):
        sizes = [
            f"{side}#{number}={100 * value:g}" for side, value in zip(("width", "depth", "height"), (width, depth, height), strict=True)
        ]
        catalog += [f"id#{number}=l9#{identity}", f"name#{number}={name}", f"model#{number}=/cube.obj", *sizes]
        labels.append(f"household-{identity.replace('_', '-')},{kind},{fold},{name}")
        authors.append(f"household-{identity.replace('_', '-')},{name},nobody,CC0-1.0")
    raw, cards = folder / "home" / "raw" / "furniture", folder / "datasets"
    raw.mkdir(parents=True)
    cards.mkdir()
    with zipfile.ZipFile(raw / "household.sh3f", "w") as archive:
        archive.writestr("PluginFurnitureCatalog.properties", "\n".join(catalog))
        archive.writestr("cube.obj", CUBE)
    (raw / "source.json").write_text(json.dumps({"packages": [{"package": "household"}], "files": {}}))
    (cards / "labels.csv").write_text("\n".join(labels))
    (cards / "attribution.csv").write_text("\n".join(authors))
    furniture = {"name": "furniture", "what": "cubes", "licence": "CC0-1.0", "reader": "l9.readers.sweethome:read", "labels": "labels.csv"}
    furniture |= {"source": {"apt": ["household"]}, "attribution": "attribution.csv"}
    rooms = {"name": "rooms", "what": "rooms", "licence": "CC0-1.0", "reader": "l9.readers.scannet:read", "source": {"compose": compose}}
    rooms |= {"axes": {"up": "+Z", "front": "+Y"}, "shards": 2, "counts": {"objects": compose["scenes"]}}
    for card in (furniture, rooms):
        (cards / f"{card['name']}.yaml").write_text(yaml.safe_dump(card))
    return folder / "home"
