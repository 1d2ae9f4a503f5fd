"""The verb about pretrained weights of your own: `import-weights`. Those of a card are brought by `fetch`."""

from pathlib import Path
from typing import Annotated

import typer

from l9.cli.words import HOME, AsJson, Home, answer, opened, weights_text


def import_weights(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.pth", help="What torch.save wrote: a dictionary of tensors, or one with a state_dict.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="What the weights are called; default: the file's name without its ending.")
    ] = None,
    home: Home = HOME,
    as_json: AsJson = False,
) -> None:
    """Convert PyTorch weights to safetensors, in the sandbox and without an unpickler; a training starts from them by --init NAME."""
    from dataclasses import asdict

    from l9.errors import UsageError
    from l9.progress import say
    from l9.sources.weights import import_weights as convert
    from l9.sources.weights import weights_path
    from l9.store.address import is_address

    if is_address(str(home)):
        raise UsageError(
            "weights are imported into a folder; give one with --home DIR, then start from DIR/weights/NAME.safetensors by --init"
        )
    place = opened(home)
    called = file.stem if name is None else name
    imported = asdict(convert(file, place.path, called, say))
    path = str(weights_path(place.path, called))
    answer({"weights": called, "path": path, **imported}, as_json, weights_text(called, path, imported))
