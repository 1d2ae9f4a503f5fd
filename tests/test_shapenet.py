"""ShapeNetCore, both versions: what is an object, what it is called, and what is wrong with a catalog."""

import json
import os

import pytest
from licensed_trees import box, put, shapenet

from l9.errors import RefusedObject, UsageError
from l9.readers import shapenet as reader
from l9.readers.contract import REFUSE


def found_below(root, **parameters):
    return {one.id: one for one in reader.find(root, **parameters)}


@pytest.mark.parametrize("model", ["models/model_normalized.obj", "model.obj"])
def test_every_model_is_an_object_and_nothing_else_is(tmp_path, model):
    found = found_below(shapenet(tmp_path, model), model=model)
    assert list(found) == [f"{synset}/m{number}" for synset in ("02691156", "03001627", "04379243") for number in range(4)]
    first = found["02691156/m0"]
    assert (first.files, first.label, first.split, first.facts) == ((f"02691156/m0/{model}",), "airplane", "train", {})
    assert [found[f"03001627/m{number}"].split for number in range(4)] == ["train", "validation", "test", "train"]
    assert found["04379243/m3"].facts == {REFUSE: ["no-model", f"{model} is not there"]}


def test_the_mesh_is_that_of_the_file(tmp_path):
    found = found_below(shapenet(tmp_path))["03001627/m1"]
    with (tmp_path / found.files[0]).open("rb") as stream:
        mesh = reader.read([stream], found, "+Y")
    assert mesh.up == "+Y" and (mesh.vertices.max(axis=0) - mesh.vertices.min(axis=0)).tolist() == pytest.approx([1, 1.1, 2])


def test_a_material_file_is_the_models_second_file_and_textures_of_other_folders_are_noted(tmp_path):
    shapenet(tmp_path)
    folder = tmp_path / "03001627" / "m1" / "models"
    put(folder / "model_normalized.mtl", b"newmtl a\nmap_Kd ../images/texture0.jpg\n")
    (tmp_path / "03001627" / "m2" / "models" / "model_normalized.mtl").symlink_to(folder / "model_normalized.mtl")
    found = found_below(tmp_path)
    first, second = found["03001627/m1"], found["03001627/m2"]
    assert first.files == tuple(f"03001627/m1/models/model_normalized.{ending}" for ending in ("obj", "mtl")) and len(second.files) == 1
    with (tmp_path / first.files[0]).open("rb") as mesh, (tmp_path / first.files[1]).open("rb") as material:
        notes = reader.read([mesh, material], first, "+Y").notes
        assert notes == ("'../images/texture0.jpg' leads outside the object's folder: not opened",)
        mesh.seek(0)
        assert reader.read([mesh], second, "+Y").notes == ("model_normalized.mtl leads outside the object's folder: not opened",)


def test_without_taxonomy_the_synset_is_the_label_and_without_split_a_hash_decides(tmp_path):
    shapenet(tmp_path)
    (tmp_path / "taxonomy.json").unlink()
    (tmp_path / "all.csv").unlink()
    found = found_below(tmp_path)
    assert {one.label for one in found.values()} == {"02691156", "03001627", "04379243"}
    assert {one.split for one in found.values()} == {""}


def test_models_that_only_one_of_disk_and_split_knows(tmp_path):
    """Only on disk: training, so that validation and test stay the official ones. Only in the split: quarantine, if its synset is there."""
    shapenet(tmp_path)
    put(tmp_path / "03001627" / "new" / "models" / "model_normalized.obj", box().export(file_type="obj"))
    with (tmp_path / "all.csv").open("a") as stream:
        stream.write("1,3001627,3001627,lost,test\n2,02828884,02828884,of_a_synset_not_brought,test\n")
    found = found_below(tmp_path)
    assert (found["03001627/new"].split, found["03001627/new"].facts) == ("train", {})
    lost = found["03001627/lost"]
    assert (lost.split, lost.label) == ("test", "chair")
    assert lost.facts == {REFUSE: ["no-model", "all.csv names it and its folder is not there"]}
    assert not any("02828884" in identity for identity in found)


def test_the_folder_within_is_named_where_the_root_holds_it(tmp_path):
    shapenet(tmp_path / "ShapeNetCore.v2")
    with pytest.raises(UsageError, match=r"no synset .* there; give --root .*/ShapeNetCore.v2"):
        list(reader.find(tmp_path))


def test_a_folder_whose_name_is_no_text_is_refused_under_an_escaped_id(tmp_path):
    shapenet(tmp_path)
    os.mkdir(os.fsencode(tmp_path) + b"/02691156/\xff")  # noqa: PTH102 - no text, no Path
    found = found_below(tmp_path)["02691156/\\udcff"]
    assert found.facts[REFUSE][0] == "file-name" and found.files[0].isprintable()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("taxonomy.json", "[", "taxonomy.json is no JSON"),
        ("taxonomy.json", "{}", "taxonomy.json is a dict; expected a list"),
        ("taxonomy.json", json.dumps([{"synsetId": 3001627, "name": "chair"}]), "taxonomy.json: entry 1"),
        ("all.csv", "id,synsetId,split\n1,03001627,train\n", "all.csv has no column 'modelId'"),
        ("all.csv", "id,synsetId,subSynsetId,modelId,split\n", "all.csv has no row"),
        ("all.csv", "id,synsetId,subSynsetId,modelId,split\n1,03001627,03001627,m0,training\n", "all.csv: line 2: expected a model"),
        ("all.csv", "id,synsetId,subSynsetId,modelId,split\n1,03001627,03001627,../m0,train\n", "all.csv: line 2"),
        ("all.csv", "id,synsetId,subSynsetId,modelId,split\n1,03001627\n", "all.csv: line 2"),
        ("all.csv", "synsetId,modelId,split\n03001627,m0,train\n03001627,m0,test\n", "all.csv: line 3: expected a model, once"),
        ("all.csv", 'synsetId,modelId,split\n03001627,"' + "x" * 200_000 + '",train\n', "all.csv: after line 1: field larger than"),
    ],
)
def test_a_malformed_catalog_is_one_line(tmp_path, name, text, words):
    shapenet(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(RefusedObject) as caught:
        list(reader.find(tmp_path))
    assert caught.value.reason == "bad-catalog" and words in str(caught.value) and "\n" not in str(caught.value)


def test_a_first_name_is_printable(tmp_path):
    shapenet(tmp_path)
    (tmp_path / "taxonomy.json").write_text(json.dumps([{"synsetId": "03001627", "name": "ch\u0007air,seat"}]))
    assert found_below(tmp_path)["03001627/m0"].label == "ch\\x07air"
