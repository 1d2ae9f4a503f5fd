"""l9.readers.lists: lists beside a dataset's objects, and roots that are recognised."""

import pytest

from l9.errors import RefusedObject, UsageError
from l9.readers import lists


def test_the_folder_below_that_is_the_root_is_named(tmp_path):
    (tmp_path / "ModelNet40").mkdir()
    (tmp_path / "ModelNet40" / "list.txt").touch()
    has_list = lambda folder: (folder / "list.txt").is_file()  # noqa: E731
    lists.check_root(tmp_path / "ModelNet40", has_list, "list.txt")
    with pytest.raises(UsageError, match=r"no list.txt there; give --root .*/ModelNet40"):
        lists.check_root(tmp_path, has_list, "list.txt")
    with pytest.raises(UsageError, match="give the dataset's own folder with --root DIR"):
        lists.check_root(tmp_path, lambda folder: False, "list.txt")
    with pytest.raises(UsageError, match="no such folder"):
        lists.check_root(tmp_path / "absent", has_list, "list.txt")


def test_lines_come_without_what_surrounds_them(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfAirplane\t 02691156 \r\n\r\n b\n")
    assert lists.read_lines(tmp_path, "a.txt") == ["Airplane 02691156", "b"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "missing-file: a.txt is not there"),
        (b"", "bad-catalog: a.txt is empty"),
        (b"a\n\xff\n", "bad-catalog: a.txt is no UTF-8 text"),
        (b"a\n\x1b[31m\n", "bad-catalog: a.txt holds a character that cannot be printed"),
    ],
)
def test_a_list_that_is_none_is_named(tmp_path, data, words):
    if data is not None:
        (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(RefusedObject) as caught:
        lists.read_lines(tmp_path, "a.txt")
    assert str(caught.value).startswith(words)


def test_a_list_without_end_is_not_read_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(lists, "LIST_BYTES", 10)
    (tmp_path / "a.txt").write_text("eleven byte")
    with pytest.raises(RefusedObject, match="more than 10 bytes"):
        lists.read_lines(tmp_path, "a.txt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"a": 1}', "is a dict; expected a list of names"),
        ('["a", 7]', "entry 2 is '7'; expected names"),
    ],
)
def test_json_of_another_form_is_named(tmp_path, text, words):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(RefusedObject, match=words) as caught:
        lists.read_json(tmp_path, "a.json", lambda entry: isinstance(entry, str), "names")
    assert caught.value.reason == "bad-catalog" and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a", "a\x00", "a\nb"])
def test_a_name_that_leads_elsewhere_is_not_safe(name):
    assert not lists.safe_name(name)
    assert lists.safe_name("night_stand_0001") and lists.safe_name("1a04e3ea.x")


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "a/../b", "./a", "a/\x00", "a/" * 3000 + "b"])
def test_a_path_that_leads_elsewhere_is_not_safe(path):
    assert not lists.safe_path(path)
    assert lists.safe_path("rgb/1305031102.175304.png") and lists.safe_path("a")
