"""Where cards and recipes are found by name: the working directory first, then the wheel, then a checkout."""

from pathlib import Path


def shipped(folder: str, ending: str) -> dict[str, Path]:
    """name -> path of cards or recipes: the working directory's own first, then those in the wheel, then the checkout's."""
    package = Path(__file__).resolve().parent
    found: dict[str, Path] = {}
    for place in (package.parent / folder, package / "_shipped" / folder, Path.cwd() / folder):
        if place.is_dir():
            found.update({path.stem: path for path in sorted(place.glob(f"*{ending}"))})
    return found
