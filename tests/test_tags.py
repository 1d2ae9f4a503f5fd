"""Tags of a person: beside the run, whole or not at all, and in MLflow with the next sending."""

import json

import pytest

from l9.errors import TrackingError, UsageError
from l9.track import Tracker, catch_up, default_uri, tags
from l9.track.cursor import read_state
from l9.track.lock import SEND_LOCK, locked
from l9.track.sender import Sender
from l9.track.tags import PENDING, change_tags, read_tags


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_tags_are_added_and_taken_away_in_order(tmp_path):
    assert read_tags(tmp_path) == []
    assert change_tags(tmp_path, add=["good", "baseline", "good"]) == ["baseline", "good"]
    assert change_tags(tmp_path, add=["v1.2_a-b"], remove=["good"]) == ["baseline", "v1.2_a-b"]
    assert read_tags(tmp_path) == ["baseline", "v1.2_a-b"] and (tmp_path / PENDING).is_file()


@pytest.mark.parametrize("name", ["", "two words", "a/b", "-x", "ü", "x" * 65, "a\n"])
def test_a_name_that_is_no_tag_changes_nothing(tmp_path, name):
    change_tags(tmp_path, add=["good"])
    with pytest.raises(UsageError, match="is no tag"):
        change_tags(tmp_path, add=["better", name])
    assert read_tags(tmp_path) == ["good"]


def test_what_is_not_there_cannot_be_taken_away(tmp_path):
    change_tags(tmp_path, add=["good"])
    with pytest.raises(UsageError, match="has no tag 'bad'; it has good"):
        change_tags(tmp_path, remove=["bad", "good"])
    assert read_tags(tmp_path) == ["good"]


@pytest.mark.parametrize("content", ["{", "{}", "[1]"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "tags.json").write_text(content)
    with pytest.raises(UsageError, match=r"tags.json: .*remove it"):
        read_tags(tmp_path)


def test_a_sending_under_way_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(tags, "LONGEST_WAIT", 0.1)
    with locked(tmp_path / SEND_LOCK), pytest.raises(TrackingError, match="has been sending"):
        change_tags(tmp_path, add=["good"])
    assert read_tags(tmp_path) == []


def test_mlflow_has_them_with_the_next_sending_even_of_a_finished_run(tmp_path):
    home, folder = tmp_path, tmp_path / "runs" / "above"
    with Tracker(home).run(folder, "toys", {}, {}):
        pass

    def there():
        run = Sender(home, default_uri(home, None)).client.get_run(read_state(folder, default_uri(home, None))["run_id"])
        return {name for name in run.data.tags if name.startswith("l9.tag.")}, run.info.status

    assert there() == (set(), "FINISHED")
    change_tags(folder, add=["good", "old"])
    assert catch_up(home) == 1 and there() == ({"l9.tag.good", "l9.tag.old"}, "FINISHED")
    change_tags(folder, remove=["old"])
    assert catch_up(home) == 1 and there() == ({"l9.tag.good"}, "FINISHED")
    assert catch_up(home) == 0 and not (folder / PENDING).exists()
    assert json.loads((folder / "track.json").read_text())["sent_tags"] == ["good"]
