"""`l9 data show CARD`: objects drawn upright in the sandbox, refused ones as tiles with their reason, a seeded choice over the classes."""

import numpy as np
import pytest
import show_readers
from hypothesis import given
from hypothesis import strategies as st

from l9.cards import card_from_plain
from l9.draw.portrait import portray_object
from l9.errors import SandboxError, UsageError
from l9.geometry.mesh import AXES
from l9.prep import show_card as module
from l9.prep import work
from l9.prep.chosen import chosen_ids, spread
from l9.prep.show_card import show_card
from l9.progress import quiet
from l9.readers.contract import Found
from l9.sandbox.contract import Answer

CARD = {"name": "odd", "what": "odd things", "licence": "none", "reader": "show_readers:read", "shards": 1}


def card(**more):
    return card_from_plain({**CARD, **more}, "odd.yaml")


def portrait(name, up="+Y", front="+Z", size=96):
    found = Found(id=f"odd/{name}", files=()).describe()
    answer = portray_object([], reader="show_readers:read", found=found, up=up, front=front, parameters={}, size=size)
    return answer.value, answer.buffers[0]


def ink(picture):
    return (picture < 250).any(axis=-1)


@pytest.mark.parametrize("up", AXES)
def test_up_is_up_whatever_the_axis(up):
    """The slab lies at the bottom of the picture and the post stands on it."""
    _, picture = portrait("mesh", up, front={"Y": "+Z", "Z": "+X", "X": "+Y"}[up[1]])
    widths = ink(picture).sum(axis=1)
    rows = np.flatnonzero(widths)
    third = len(rows) // 3
    assert 0 < widths[rows[:third]].mean() < 0.3 * widths[rows[-third:]].mean()
    assert abs(np.flatnonzero(ink(picture)[rows[0]]).mean() - 47.5) < 3


@pytest.mark.parametrize("front", ["+X", "-X", "-Z"])
def test_the_front_of_the_card_is_what_is_seen(front):
    """A post with a nose gives one picture whichever way the nose points, if the card says that there is the front."""
    expected = portrait("nose+Z", front="+Z")[1].astype(int)
    assert np.abs(portrait(f"nose{front}", front=front)[1] - expected).mean() < 0.5
    assert np.abs(portrait(f"nose{front}", front="+Z")[1] - expected).mean() > 2
    np.testing.assert_array_equal(portrait("nose+Z", front="+Y")[1], expected, "a front that is not level counts as none")


def test_clouds_show_labels_and_facts():
    """Upper and lower half have colours of their own: blue is the first of the palette, orange the second."""
    facts, picture = portrait("cloud")
    assert (facts["vertices"], facts["faces"]) == (500, 0) and facts["size"][1] > 2 * facts["size"][0]
    red, blue = picture[..., 0].astype(int), picture[..., 2].astype(int)
    redder, bluer = red > blue + 20, blue > red + 20
    assert redder.sum() > 100 and bluer.sum() > 100
    assert np.nonzero(redder)[0].mean() < np.nonzero(bluer)[0].mean()
    plain = portrait("plain_cloud")[1].astype(int)
    assert not (plain[..., 0] > plain[..., 2] + 20).any()


def test_every_object_is_on_the_page_refused_ones_with_their_reason(tmp_path):
    odd = card(known_bad="bad.csv", tables={"known_bad": [{"id": "odd/known", "reason": "a hole"}]})
    there, facts, picture = show_card(odd, tmp_path, [], count=20, seed=0, say=quiet)
    about = {one.id.removeprefix("odd/"): one for one in facts}
    assert there == len(show_readers.NAMES) and set(about) == set(show_readers.NAMES)
    refused = {name: one.refused for name, one in about.items() if one.refused}
    assert set(refused) == {"deadly", "known", "listed", "refused"}
    assert refused["known"] == "known-bad: a hole" and refused["refused"] == "no-faces: 0 faces"
    assert refused["listed"].startswith("file-name") and refused["deadly"].startswith("died")
    assert (about["mesh"].faces, about["mesh"].vertices, about["mesh"].size) == (24, 16, (2.0, 4.0, 2.0))
    pale = (picture == (250, 232, 230)).all(axis=-1).sum()
    assert 3 < pale / module.TILE**2 < 4, "four tiles of words, less their letters"


def test_notes_of_the_child_are_bounded_and_printable(tmp_path):
    _, (one,), _ = show_card(card(), tmp_path, ["odd/talkative"], count=1, seed=0, say=quiet)
    *kept, last = one.notes
    assert len(kept) == work.NOTES and all(len(note) == work.NOTE and note.isprintable() for note in kept)
    assert last == f"and {20 - work.NOTES} more"


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "volume"},
        {"size": [1.0, 2.0]},
        {"size": "abc"},
        {"vertices": "1"},
        {"notes": None},
    ],
)
def test_an_answer_of_another_form_counts_as_a_death(change):
    told = {"kind": "mesh", "vertices": 3, "faces": 1, "size": [1.0, 1.0, 1.0], "notes": []}
    tile = np.zeros((module.TILE, module.TILE, 3), np.uint8)
    assert module._checked(Answer(told, [tile]))[0]["faces"] == 1
    with pytest.raises(SandboxError, match="died"):
        module._checked(Answer({**told, **change}, [tile]))
    for buffers in ([], [tile, tile], [tile[:-1]], [tile.astype(np.float32)], [b"tile"]):
        with pytest.raises(SandboxError, match="died"):
            module._checked(Answer(told, buffers))


def test_ids_and_prefixes_choose_in_their_order():
    labels = {"a/1": "a", "a/10": "a", "b/2": "b"}
    assert chosen_ids(labels, ["b", "a/1", "b/2"], 9, 0, "toys") == ["b/2", "a/1"]
    with pytest.raises(UsageError, match=r"'a' may be a/1, a/10"):
        chosen_ids(labels, ["a"], 9, 0, "toys")
    with pytest.raises(UsageError, match=r"no object 'a/2' in toys; near: .*a/1"):
        chosen_ids(labels, ["a/2"], 9, 0, "toys")


LABELS = st.dictionaries(st.text("abc", min_size=1, max_size=6), st.sampled_from(["x", "y", "z", ""]), min_size=1)


@given(LABELS, st.integers(1, 12), st.integers(0, 3))
def test_a_sample_is_spread_over_the_classes(labels, count, seed):
    """No class has two more than another that still has objects left; the order of the listing plays no part; more begin as fewer."""
    chosen = spread(labels.items(), count, seed)
    assert len(chosen) == len(set(chosen)) == min(count, len(labels))
    assert chosen == spread(reversed(labels.items()), count, seed)
    assert spread(labels.items(), count + 1, seed)[:count] == chosen
    taken = {label: sum(labels[name] == label for name in chosen) for label in set(labels.values())}
    there = {label: list(labels.values()).count(label) for label in taken}
    unfinished = [number for label, number in taken.items() if number < there[label]]
    assert not unfinished or max(taken.values()) - min(unfinished) <= 1


def test_another_seed_is_another_choice():
    labels = {f"{number:03}": "x" for number in range(200)}
    assert spread(labels.items(), 5, 0) != spread(labels.items(), 5, 1)
