"""Bounds of what a recipe may ask of a stage, said in one way."""

from l9.errors import UsageError

MAX_RESOLUTION = 512  # voxels or pixels a side


def check_number(stage: str, argument: str, value: int, *, most: int, least: int = 1) -> None:
    """UsageError naming the stage and the argument unless `value` is an integer from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(f"stage {stage}: {argument} is {value!r}; expected an integer from {least} to {most:,}")


def check_size(stage: str, argument: str, value: int | float, *, least: int | float, most: int | float, unit: str) -> None:
    """UsageError naming the stage and the argument unless `value` is a number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise UsageError(f"stage {stage}: {argument} is {value!r}; expected {unit} from {least:g} to {most:g}")


def check_word(stage: str, argument: str, value: str, words: tuple[str, ...]) -> None:
    """UsageError naming the stage and the argument unless `value` is one of `words`."""
    if value not in words:
        raise UsageError(f"stage {stage}: {argument} is {value!r}; expected one of {' '.join(words)}")


def check_row_bytes(stage: str, count: int, most: int) -> None:
    """UsageError naming the stage if one row would take more than `most` bytes."""
    if count > most:
        raise UsageError(f"stage {stage}: a row would take {count >> 20:,} MiB; expected at most {most >> 20} MiB, so ask for less")
