"""Runs side by side: what differs, on which data, and the paired difference on the same objects; stores and the runs that use them."""

import json
import os

import pytest
from store_builder import built, planned
from toys import toy_facts, write_facts

from l9.errors import UsageError
from l9.evaluate.compare import compare_runs
from l9.evaluate.paired import paired_difference
from l9.evaluate.runs import find_run, list_runs, trainings_of
from l9.evaluate.usage import store_rows, stores_used
from l9.track.tags import change_tags

OBJECTS = [f"o{number:03}.obj" for number in range(20)]


def training(home, store, name, right, *, objects=OBJECTS, seed=0, lr=0.1, called="", sets=None, outcomes=True):
    """A finished training on disk; `right` are the numbers of the objects that it answered rightly."""
    facts = toy_facts(store, home, "ToyTask", None, schedule={"epochs": 2, "lr": lr}, seed=seed)
    facts["training"]["name"] = called
    if sets:
        facts["sets"] = sets
    folder = write_facts(home / "runs" / name, facts)
    lines = [{"object": one, "label": "a", "predicted": "a" if n in right else "b", "probability": 1.0} for n, one in enumerate(objects)]
    if outcomes:
        (folder / "outcomes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "result.json").write_text(json.dumps({"metrics": {"accuracy": len(right) / len(objects)}}))
    return folder


def whole(home, store, name, trainings):
    folder = home / "runs" / name
    folder.mkdir()
    about = {"recipe": "toys", "run_id": name, "metrics": {"accuracy": 0.5}, "finished": 1.0, "trainings": [one.name for one in trainings]}
    about["stores"] = {"toys": {"store": str(store.path)}}
    (folder / "run.json").write_text(json.dumps(about))
    return folder


@pytest.fixture
def store(home):
    return built(home)


def test_two_trainings_are_compared_on_the_same_objects(home, store):
    training(home, store, "toys-s0-aaaa", set(range(15)), lr=0.1)
    training(home, store, "toys-s0-bbbb", set(range(3, 12)), lr=0.2)
    about = compare_runs(home, ["toys-s0-a", "bbbb"])
    assert about["runs"] == ["toys-s0-aaaa", "toys-s0-bbbb"]
    assert about["settings"] == {"trainings.*.schedule.lr": ["0.1", "0.2"]}
    assert about["same_data"] and about["same_test_objects"]
    assert about["data"][0] == {"toys": {"store": store.id, "manifest": store.digest, "fold": 0}}
    assert about["metrics"] == {"accuracy": [0.75, 0.45]}
    (pair,) = about["paired"]
    right = [[float(n in numbers) for n in range(20)] for numbers in (range(15), range(3, 12))]
    expected = paired_difference(*right)
    assert {name: pair[name] for name in ("difference", "low", "high", "n", "better", "worse")} == vars(expected)
    assert pair["same_objects"] and pair["accuracy"] == [0.75, 0.45]


def test_a_run_of_several_trainings_and_seeds_pairs_those_of_one_name(home, store):
    """Seeds count as shares: an object that one seed of two has right counts half."""
    runs = []
    for run, gain in (("one", 4), ("two", 0)):
        jobs = [training(home, store, f"{run}-net-s{seed}-0", set(range(8 + gain * seed)), called="net", seed=seed) for seed in (0, 1)]
        jobs.append(training(home, store, f"{run}-forest-s0-0", set(range(10)), called="forest"))
        runs.append(whole(home, store, f"{run}-run", jobs).name)
    about = compare_runs(home, runs)
    assert about["settings"] == {}
    pairs = {pair["training"]: pair for pair in about["paired"]}
    assert set(pairs) == {"net", "forest"}
    assert pairs["net"]["difference"] == pytest.approx(4 / 20 / 2) and (pairs["net"]["better"], pairs["net"]["worse"]) == (4, 0)
    assert pairs["forest"]["difference"] == 0


def test_one_training_of_a_run_is_compared_with_all_its_seeds(home, store):
    for run, rights in (("one", (18, 6, 6)), ("two", (10, 10, 10))):
        jobs = [training(home, store, f"{run}-net-s{seed}-0", set(range(n)), called="net", seed=seed) for seed, n in enumerate(rights)]
        whole(home, store, f"{run}-run", [*jobs, training(home, store, f"{run}-forest-s0-0", {1}, called="forest")])
    about = compare_runs(home, ["one-run/net", "two-run/net"])
    assert about["runs"] == ["one-run/net", "two-run/net"] and about["settings"] == {}
    (pair,) = about["paired"]
    assert pair["accuracy"] == [pytest.approx(0.5), 0.5] and about["metrics"] == {"accuracy": [pytest.approx(0.5), 0.5]}


def test_one_id_with_two_labels_is_not_one_object(home, store):
    training(home, store, "toys-s0-aaaa", {1})
    folder = training(home, store, "toys-s0-bbbb", {1})
    outcomes = folder / "outcomes.jsonl"
    outcomes.write_text(outcomes.read_text().replace('"label": "a"', '"label": "b"'))
    about = compare_runs(home, ["aaaa", "bbbb"])
    assert about["same_test_objects"] is False and about["paired"][0]["n"] == 0


def test_a_set_tested_alone_is_the_same_set_beside_another(home, store):
    """Outcomes name their set only where several are tested."""
    training(home, store, "toys-s0-aaaa", {1})
    folder = training(home, store, "toys-s0-bbbb", {1, 2})
    lines = [json.loads(line) for line in (folder / "outcomes.jsonl").read_text().splitlines()]
    (folder / "outcomes.jsonl").write_text("".join(json.dumps({**line, "set": "toys"}) + "\n" for line in lines))
    about = compare_runs(home, ["aaaa", "bbbb"])
    assert about["same_test_objects"] and about["paired"][0]["n"] == len(OBJECTS)


def test_seeds_and_sets_that_differ_are_said(home, store):
    other = built(home, planned(label=lambda n: "c"))
    training(home, store, "toys-s0-aaaa", {1}, seed=0)
    sets = {"toys": {"store": f"store/{other.id}", "manifest": other.digest, "classes": ["c"], "fold": 3}}
    training(home, store, "toys-s1-bbbb", {1}, seed=1, objects=OBJECTS[:10], sets=sets)
    about = compare_runs(home, ["aaaa", "bbbb"])
    assert about["settings"] == {"seeds": ["[0]", "[1]"], "data.toys.fold": ["0", "3"], "data.toys.classes": ["null", '["c"]']}
    assert not about["same_data"] and about["same_test_objects"] is False
    (pair,) = about["paired"]
    assert pair == {"first": "toys-s0-aaaa", "second": "toys-s1-bbbb", "training": "", "same_objects": False, "n": 10, "objects": [20, 10]}


def test_without_outcomes_there_is_no_pair(home, store):
    training(home, store, "toys-s0-aaaa", {1})
    training(home, store, "toys-s0-bbbb", {1}, outcomes=False)
    about = compare_runs(home, ["aaaa", "bbbb"])
    assert about["paired"] == [] and about["same_test_objects"] is None


def test_words_that_do_not_name_two_runs_are_refused(home, store):
    folder = training(home, store, "toys-s0-aaaa", {1})
    for words, message in (
        (["aaaa"], "two different runs"),
        (["aaaa", "toys"], "two different runs"),
        (["aaaa", "toyz"], "near: toys-s0-aaaa"),
    ):
        with pytest.raises(UsageError, match=message):
            compare_runs(home, words)
    (home / "runs" / "begun").mkdir()
    with pytest.raises(UsageError, match="begun is not finished"):
        trainings_of(find_run(home, "begun"))
    (folder / "outcomes.jsonl").write_text("{")
    training(home, store, "toys-s0-bbbb", {1})
    with pytest.raises(UsageError, match=r"outcomes.jsonl: not JSON"):
        compare_runs(home, ["aaaa", "bbbb"])


def test_runs_are_filtered_by_tag_and_recipe(home, store):
    folder = training(home, store, "toys-s0-aaaa", {1})
    training(home, store, "toys-s0-bbbb", {1})
    assert change_tags(folder, add=["good"]) == ["good"]
    assert [row["run"] for row in list_runs(home, tag="good")] == [row["run"] for row in list_runs(home) if row["tags"] == ["good"]]
    assert [row["run"] for row in list_runs(home, tag="good", recipe="toys")] == ["toys-s0-aaaa"]
    assert len(list_runs(home, recipe="toys")) == 2
    with pytest.raises(UsageError, match="no run has the tag 'goood'; there is good"):
        list_runs(home, tag="goood")
    with pytest.raises(UsageError, match="no run has the recipe 'toy'; there is toys"):
        list_runs(home, recipe="toy")


def test_runs_are_listed_newest_first_whatever_was_written_since(home, store):
    for age, name in enumerate(("new", "old")):
        folder = training(home, store, f"toys-s0-{name}", {1})
        os.utime(folder / "training.json", (1e9 - age, 1e9 - age))
    change_tags(home / "runs" / "toys-s0-old", add=["kept"])
    assert [row["run"] for row in list_runs(home)] == ["toys-s0-new", "toys-s0-old"]


def test_stores_say_which_runs_stand_on_them(home, store):
    """A training by its own file, a run by its result, and a run that has only begun by what it noted before its first training."""
    other = built(home, planned(label=lambda n: "c"))
    one = training(home, store, "toys-s0-aaaa", {1}, outcomes=False)
    whole(home, other, "toys-run", [one])
    begun = home / "runs" / "toys-begun"
    begun.mkdir()
    (begun / "track.json").write_text(json.dumps({"datasets": [{"name": "toys", "digest": "0", "source": str(other.path)}]}))
    used = stores_used(home)
    assert used[store.id] == ["toys-s0-aaaa"] and sorted(used[other.id]) == ["toys-begun", "toys-run"]
    rows = {row["store"]: row for row in store_rows(home)}
    assert rows[store.id]["runs"] == ["toys-s0-aaaa"]
    facts = {name: rows[store.id][name] for name in ("card", "columns", "planned", "done", "quarantined", "rows", "problem")}
    expected = {"card": "toy", "columns": ["grid", "points", "picture"], "planned": 40, "done": 39, "quarantined": 1, "rows": 78}
    assert facts == {**expected, "problem": ""}
    assert rows[store.id]["bytes"] == sum(path.stat().st_size for path in (home / "store" / "shards").glob("*.arrow"))


def test_a_store_that_cannot_be_read_is_a_row_too(home, store):
    (store.path / "manifest.json").write_text("{}")
    (row,) = store_rows(home)
    assert row["store"] == store.id and "format version" in row["problem"]


def test_a_run_that_cannot_be_read_is_named(home, store):
    folder = training(home, store, "toys-s0-aaaa", {1})
    for content in ("{", "[]", '{"sets": {"toys": 1}}', '{"sets": 3}'):
        (folder / "training.json").write_text(content)
        with pytest.raises(UsageError, match="toys-s0-aaaa"):
            stores_used(home)
