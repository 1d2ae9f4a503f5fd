"""Which objects to look at: those a person names, or a seeded sample spread over the classes."""

import difflib
from collections.abc import Iterable, Sequence

from l9.errors import UsageError
from l9.fingerprint import digest


def chosen_ids(labels: dict[str, str], words: Sequence[str], count: int, seed: int, where: str) -> list[str]:
    """Ids in the order to show them.

    labels  id -> class of every object there is
    words   ids or unique prefixes, shown in this order; none: `count` objects by `spread`, sorted by class
    where   names the dataset or store in errors
    raises  UsageError with near matches where a word names none, or more than one
    """
    if words:
        return list(dict.fromkeys(_named(labels, word, where) for word in words))
    return sorted(spread(labels.items(), count, seed), key=lambda name: (labels[name] == "", labels[name], name))


def spread(objects: Iterable[tuple[str, str]], count: int, seed: int) -> list[str]:
    """`count` ids of (id, class): one of every class, then a second of every class, and so on.

    Which classes and which objects come first is decided by a hash of the seed and their names: one seed, one choice, and objects
    that are added later do not change the order of the others.
    """
    classes: dict[str, list[str]] = {}
    for name, label in objects:
        classes.setdefault(label, []).append(name)
    ranked = []
    for label, members in classes.items():
        ordered = sorted(members, key=lambda name: digest([seed, name]))
        ranked += [(turn, digest([seed, "class", label]), name) for turn, name in enumerate(ordered)]
    return [name for *_, name in sorted(ranked)[:count]]


def _named(labels: dict[str, str], word: str, where: str) -> str:
    if word in labels:
        return word
    matches = [name for name in labels if word and name.startswith(word)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(f"'{word}' may be {', '.join(sorted(matches)[:4])}; give more letters")
    near = difflib.get_close_matches(word, labels, 3, 0.4) or sorted(labels)[:3]
    raise UsageError(f"no object '{word}' in {where}; near: {', '.join(near) or 'none'}")
