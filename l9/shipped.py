"""Where cards and recipes are found by name: the working directory first, then what came with l9."""

from pathlib import Path


def shipped(folder: str, ending: str) -> dict[str, Path]:
    """name -> path of cards ("datasets", "weights") or recipes ("pipelines"): the working directory wins over what came with l9."""
    package = Path(__file__).resolve().parent
    checkout = package.parent
    places = [package / "_shipped" / folder, Path.cwd() / folder]
    if (checkout / "pyproject.toml").is_file():  # an editable install: beside the package, not in it
        places.insert(0, checkout / folder)
    found: dict[str, Path] = {}
    for place in places:
        if place.is_dir():
            found.update({path.stem: path for path in sorted(place.glob(f"*{ending}"))})
    return found
