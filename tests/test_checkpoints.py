import json
from pathlib import Path

import pytest
import torch
from frozen_toys import Around
from safetensors.torch import save_file
from toys import Label, Plain

from l9.errors import StoreError, TrainingError
from l9.tasks.contract import Player
from l9.train.checkpoints import Progress, copy_by_name, latest, load_tensors, restore, write_checkpoint
from l9.train.noted import note_error
from l9.train.optimizers import movers_of, restore_optimizers
from l9.train.records import Records, cut_back, last_loss


def _made(optimizer="adam", steps=2):
    torch.manual_seed(0)
    task, model = Label(("high", "low"), optimizer=optimizer), Plain(("high", "low"))
    task.bind(model)
    movers = movers_of(task.players(), model, None)
    for number in range(steps):
        movers["model"].move([torch.full_like(p, 0.1 * (number + 1)) for p in model.parameters()], 1.0)
    task.moving.fill_(0.5)
    return task, model, movers


def _write(run_dir, step, made):
    task, model, movers = made
    return write_checkpoint(run_dir, Progress(step, 1, 2), model, movers, task)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_everything_comes_back_into_the_live_tensors(tmp_path, optimizer):
    made = _made(optimizer)
    drawn = torch.rand(3)
    _write(tmp_path, 5, made)
    after = torch.rand(3)
    task, model, movers = _made(optimizer, steps=0)
    pointers = [parameter.data_ptr() for parameter in model.parameters()]
    progress = restore(latest(tmp_path), model, movers, task)
    assert (progress.step, progress.epoch, progress.step_in_epoch) == (5, 1, 2)
    assert [parameter.data_ptr() for parameter in model.parameters()] == pointers
    assert torch.equal(torch.rand(3), after) and not torch.equal(drawn, after)
    assert torch.equal(task.moving, made[0].moving)
    for one in (made, (task, model, movers)):  # one more step each: the moments must be the same
        one[2]["model"].move([torch.full_like(p, -0.3) for p in one[1].parameters()], 0.5)
    for old, new in zip(made[1].parameters(), model.parameters(), strict=True):
        assert torch.equal(old, new)


def test_the_newest_two_are_kept(tmp_path):
    made = _made()
    for step in (3, 6, 9, 12):
        _write(tmp_path, step, made)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["00000009", "00000012"]


def _cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def _flip(folder):
    path = folder / "optimizer.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _unstate(folder):
    (folder / "state.json").unlink()


def _list(folder):
    (folder / "state.json").write_text("[]")


def _escape(folder):
    state = json.loads((folder / "state.json").read_text())
    state["files"]["../../other"] = state["files"]["model.safetensors"]
    (folder / "state.json").write_text(json.dumps(state))


def _deep(folder):
    (folder / "state.json").write_text("[" * 100_000)


@pytest.mark.parametrize("damage", [_cut, _flip, _unstate, _list, _escape, _deep])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, damage):
    made = _made()
    _write(tmp_path, 3, made)
    damage(_write(tmp_path, 6, made))
    assert latest(tmp_path).progress.step == 3
    _write(tmp_path, 6, made)  # the training comes to that step again
    assert latest(tmp_path).progress.step == 6
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["00000003", "00000006"]


def test_damaged_ones_ahead_make_way_for_what_is_written(tmp_path):
    """Two damaged checkpoints of later steps once were "the newest two", and everything written after a restart went at once."""
    made = _made()
    for step in (6, 9):
        _cut(_write(tmp_path, step, made))
    assert latest(tmp_path) is None
    for step in (1, 2, 3):
        _write(tmp_path, step, made)
        assert latest(tmp_path).progress.step == step
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["00000002", "00000003"]


def test_steps_of_nine_digits_are_found(tmp_path):
    _write(tmp_path, 99_999_999, _made())
    _write(tmp_path, 100_000_000, _made())
    assert latest(tmp_path).progress.step == 100_000_000


def test_what_a_killed_writer_left_is_no_checkpoint_and_goes(tmp_path):
    left = tmp_path / "checkpoints" / ".tmp-1-abc"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    assert latest(tmp_path) is None
    _write(tmp_path, 3, _made())
    assert not left.exists()


def test_an_error_while_writing_leaves_nothing(tmp_path):
    task, model, movers = _made()
    task.buffers = lambda: {"bad": "no tensor"}
    with pytest.raises(AttributeError):
        _write(tmp_path, 3, (task, model, movers))
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    _write(tmp_path, 3, _made())
    model = torch.nn.Linear(2, 2)
    movers = movers_of({"model": Player(list(model.parameters()))}, model, None)
    with pytest.raises(TrainingError, match="--fresh"):
        restore(latest(tmp_path), model, movers, _made()[0])
    task, model, _ = _made()
    names = {"critic": Player(list(model.parameters()))}
    with pytest.raises(TrainingError, match="belongs to no player"):
        restore(latest(tmp_path), model, movers_of(names, model, None), task)


def test_tied_weights_are_stored(tmp_path):
    """safetensors refuses two names for one memory; each gets its own copy, and both come back tied."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    movers = movers_of({"model": Player(list(model.parameters()))}, model, None)
    write_checkpoint(tmp_path, Progress(1, 0, 1), model, movers, _made()[0])
    stored = model[0].weight.detach().clone()
    with torch.no_grad():
        model[0].weight.zero_()
    restore(latest(tmp_path), model, movers, _made()[0])
    assert torch.equal(model[0].weight, stored) and model[1].weight is model[0].weight


def test_copy_by_name_copies_what_fits_and_lists_the_rest():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 4))
    tensors = {"encoder.weight": torch.ones(3, 2), "encoder.bias": torch.full((3,), 2.0), "1.weight": torch.ones(5, 3)}
    assert copy_by_name(model, tensors, {"encoder.": "0."}) == ["1.weight", "1.bias"]
    assert torch.equal(model[0].weight, torch.ones(3, 2)) and torch.equal(model[0].bias, torch.full((3,), 2.0))
    with pytest.raises(TrainingError, match="no tensor has the name and shape"):
        copy_by_name(model, tensors | {"1.weight": torch.ones(1)}, {"encoder.": "2."})


def test_weights_of_a_trunk_alone_fit_a_network_around_it():
    """Names as they are come first; the prefix is tried only where none of them fits."""
    model = Around()
    trunk = {"weight": torch.ones(2, 3), "bias": torch.zeros(2), "head.bias": torch.zeros(9)}
    assert copy_by_name(model, trunk) == ["head.weight", "head.bias"]
    assert torch.equal(model.trunk.weight, torch.ones(2, 3))
    assert copy_by_name(model, {"weight": torch.zeros(2, 3), "head.bias": torch.ones(2)}) == ["trunk.weight", "trunk.bias", "head.weight"]
    assert torch.equal(model.trunk.weight, torch.ones(2, 3))
    with pytest.raises(TrainingError, match="no tensor has the name and shape"):
        copy_by_name(model, {"other": torch.ones(2, 3)})
    with pytest.raises(TrainingError, match="no tensor has the name and shape"):
        copy_by_name(torch.nn.Linear(3, 2), {"trunk.weight": torch.ones(2, 3)})


def test_a_file_that_is_no_safetensors_is_refused_in_one_line(tmp_path):
    path = tmp_path / "weights.safetensors"
    for content in (b"", b"\x80\x04pickle", b"\xff" * 64):
        path.write_bytes(content)
        with pytest.raises(TrainingError, match="not a safetensors file"):
            load_tensors(path)
    save_file({"a": torch.ones(2)}, path)
    assert load_tensors(path)["a"].tolist() == [1, 1]


def _numbers(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_records_are_cut_back_to_the_checkpoint(tmp_path):
    records = Records(tmp_path, 0)
    for step in range(5):
        records.add({"step": step, "epoch": 0, "loss": 1.0})
    records.close()
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 5, "ep')  # torn by a kill
    again = Records(tmp_path, 3)
    again.add({"step": 3, "epoch": 0, "loss": 2.0})
    again.close()
    assert _numbers(path) == [0, 1, 2, 3]


@pytest.mark.parametrize("content", ["", '{"step": 0}\n{"step": 2}\n', '{"step": 0}\n[]\n', "\x00\n\n"])
def test_missing_records_are_said_not_papered_over(tmp_path, content):
    path = tmp_path / "metrics.jsonl"
    path.write_text(content)
    with pytest.raises(TrainingError, match="first 2 steps"):
        cut_back(path, 2)
    assert path.read_text() == content


def test_a_record_that_is_not_a_number_is_refused(tmp_path):
    records = Records(tmp_path, 0)
    with pytest.raises(ValueError):
        records.add({"step": 0, "loss": float("nan")})
    records.close()


def _on_a_full_disk(folder):
    records = Records(folder, 0)
    records._stream.close()
    records._stream = Path("/dev/full").open("w")  # noqa: SIM115
    records.add({"step": 0, "loss": 1.0})
    return records


def test_a_full_disk_is_named_by_flush_and_close(tmp_path):
    records = _on_a_full_disk(tmp_path)
    for write in (records.flush, records.close):
        with pytest.raises(StoreError, match="no space left on the disk"):
            write()
    assert records._stream.closed


def test_closing_on_a_full_disk_does_not_hide_the_first_error(tmp_path):
    with pytest.raises(TrainingError, match="first"), _on_a_full_disk(tmp_path):
        raise TrainingError("first")
    with pytest.raises(StoreError, match="no space left"), _on_a_full_disk(tmp_path):
        pass


def test_noting_an_error_on_a_full_disk_does_not_hide_it(tmp_path, monkeypatch):
    def full(path, content):
        raise StoreError("no space left on the disk")

    monkeypatch.setattr("l9.train.noted.atomic_write", full)
    note_error(tmp_path, TrainingError("first"))
    assert not (tmp_path / "error.json").exists()


def test_the_precision_is_stored(tmp_path):
    task, model, movers = _made()
    folder = write_checkpoint(tmp_path, Progress(1, 0, 1), model, movers, task, "bfloat16")
    assert latest(tmp_path).precision == "bfloat16"
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "precision": "float8"}))
    assert latest(tmp_path) is None
    del state["precision"]
    (folder / "state.json").write_text(json.dumps(state))
    assert latest(tmp_path).precision is None


def test_the_last_loss_is_read_from_the_records(tmp_path):
    with Records(tmp_path, 0) as records:
        for step in range(3):
            records.add({"step": step, "loss": 3.0 - step})
    assert last_loss(tmp_path) == 1.0


def test_counters_come_back_to_the_device_of_their_parameter():
    """A fused optimizer has them there. The meta device stands for one that is not the processor."""
    parameter = torch.nn.Parameter(torch.zeros(3, device="meta"))
    model = torch.nn.Module()
    model.register_parameter("weight", parameter)
    movers = movers_of({"model": Player([parameter])}, model, None)
    stored = {"model/weight/step": torch.tensor(4.0), "model/weight/exp_avg": torch.zeros(3), "model/weight/exp_avg_sq": torch.zeros(3)}
    restore_optimizers(movers, stored)
    assert {value.device.type for value in movers["model"].optimizer.state[parameter].values()} == {"meta"}
