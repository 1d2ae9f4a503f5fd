"""Recipes: find one, load it, check it whole, and override its settings.

A recipe is a Python file that defines `pipeline = Pipeline(...)`, or the resolved JSON of one.
"""

import dataclasses
import difflib
import importlib.util
import json
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any

from l9.config import FILLED, RECIPE_MODULE, Pipeline, Prep, Training, with_defaults
from l9.errors import L9Error, RecipeError
from l9.shipped import shipped
from l9.typed import from_plain


def load_recipe(name: str) -> Pipeline:
    """The recipe of a name (`furniture_voxnet`), a Python file or a resolved JSON file; checked whole."""
    path = Path(name) if name.endswith((".py", ".json")) else shipped("pipelines", ".py").get(name)
    if path is None:
        known = sorted(shipped("pipelines", ".py"))
        near = difflib.get_close_matches(name, known, 3) or known
        raise RecipeError(f"no recipe '{name}'; known: {', '.join(near)}")
    if not path.is_file():
        by_name = shipped("pipelines", ".py").get(path.stem) if path.parts[:-1] == ("pipelines",) else None
        if by_name is None:
            raise RecipeError(
                f"{path}: no such recipe; expected a .py or .json file, or one of {', '.join(sorted(shipped('pipelines', '.py')))}"
            )
        path = by_name
    pipeline = _from_json(path) if path.suffix == ".json" else _from_python(path)
    try:
        return checked(pipeline)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def _from_json(path: Path) -> Pipeline:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: not JSON: {error}") from error
    if isinstance(value, dict):
        value.pop("cards", None)  # l9/cards.py takes them
    return typing.cast(Pipeline, from_plain(Pipeline, value, str(path)))


def _from_python(path: Path) -> Pipeline:
    name = RECIPE_MODULE + path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except L9Error as error:
        raise RecipeError(f"{path}: {error}") from error
    except Exception as error:  # whatever a person's Python may raise becomes one line that names the file
        raise RecipeError(f"{path}{_line_in(error, path)}: {type(error).__name__}: {error}") from error
    finally:
        sys.modules.pop(name, None)
    pipeline = getattr(module, "pipeline", None)
    if not isinstance(pipeline, Pipeline):
        raise RecipeError(f"{path}: defines no `pipeline = Pipeline(...)`")
    return typing.cast(Pipeline, from_plain(Pipeline, pipeline.describe(), str(path)))


def _line_in(error: Exception, path: Path) -> str:
    lines = [frame.tb_lineno for frame in _frames(error) if Path(frame.tb_frame.f_code.co_filename).resolve() == path.resolve()]
    return f":{lines[-1]}" if lines else ""


def _frames(error: Exception) -> list[types.TracebackType]:
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    return frames


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def checked(pipeline: Pipeline) -> Pipeline:
    """The recipe with every default spelled out; RecipeError on names that do not match each other."""
    if not pipeline.sets:
        raise RecipeError(f"{pipeline.name}: sets is empty; expected at least one set")
    names = [training.name for training in pipeline.trainings]
    if len(set(names)) != len(names):
        raise RecipeError(f"{pipeline.name}: two trainings are called '{max(names, key=names.count)}'; names are unique")
    if not pipeline.seeds or len(set(pipeline.seeds)) != len(pipeline.seeds) or min(pipeline.seeds) < 0:
        raise RecipeError(f"{pipeline.name}: seeds is {list(pipeline.seeds)}; expected different whole numbers from 0 on")
    for name in (pipeline.name, *pipeline.sets, *filter(None, names)):
        if not NAME.fullmatch(name):
            raise RecipeError(f"'{name}' cannot be a name: it becomes part of a folder's; expected letters, digits, '.', '_' and '-'")
    sets = {name: dataclasses.replace(s, prep=_checked_prep(s.prep, f"sets.{name}")) for name, s in pipeline.sets.items()}
    trainings = tuple(_checked_training(training, pipeline) for training in pipeline.trainings)
    return dataclasses.replace(pipeline, sets=sets, trainings=trainings)


def _checked_prep(prep: Prep, where: str) -> Prep:
    for stage in prep.stages:
        if not hasattr(stage.resolve(), "stage"):
            raise RecipeError(f"{where}: {stage.target} is no stage; expected a function marked with changes or yields")
    return Prep(*(with_defaults(stage, leading=1) for stage in prep.stages))


def _checked_training(training: Training, pipeline: Pipeline) -> Training:
    first = next(iter(pipeline.sets))
    for name in (*(training.sets or ()), *(training.test or ())):
        if name not in pipeline.sets:
            raise RecipeError(f"trainings.{training.name}: no set '{name}'; known: {', '.join(pipeline.sets)}")
    return dataclasses.replace(
        training,
        task=with_defaults(training.task),
        model=None if training.model is None else with_defaults(training.model),
        sets=training.sets or (first,),
        test=training.test or (first,),
    )


def override(pipeline: Pipeline, settings: list[str]) -> Pipeline:
    """The recipe with `path=value` settings applied: `train.workers=2`, `trainings.*.schedule.epochs=3`, `seeds=[0,1,2]`.

    A value is JSON where it parses as JSON, else text. Trainings are named by name or number, `*` is all of them; the arguments of a
    Use are reached by their own name (`trainings.voxnet.task.votes=1`).
    """
    value: Any = pipeline.describe()
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise RecipeError(f"--set {setting}: expected path=value")
        try:
            new = json.loads(text)
        except ValueError:
            new = text
        _assign(value, path.split("."), new, path)
    return checked(from_plain(Pipeline, value, "--set"))


def _assign(node: Any, parts: list[str], new: Any, path: str) -> None:
    """Set `new` at the path below `node`. Below a `*` members without such a place are passed over, unless none has it."""
    head, rest = parts[0], parts[1:]
    refused: list[RecipeError] = []
    keys = _keys(node, head, path)
    for key in keys:
        container = node["arguments"] if _is_use(node) and key not in node else node
        try:
            if rest:
                _assign(container[key], rest, new, path)
            else:
                container[key] = new
        except RecipeError as error:
            refused.append(error)
    if refused and len(refused) == len(keys):
        raise refused[0]


def _is_use(node: Any) -> bool:
    return isinstance(node, dict) and set(node) == {"target", "arguments"}


def _keys(node: Any, head: str, path: str) -> list[Any]:
    if isinstance(node, list):
        found, choices = _places_in_list(node, head)
    elif isinstance(node, dict):
        # arguments that a card fills may be set though they are not there yet
        choices = [*node["arguments"], *FILLED, "target"] if _is_use(node) else list(node)
        found = choices if head == "*" else [head] if head in choices else []
    else:
        found, choices = [], []
    if not found:
        near = difflib.get_close_matches(head, choices, 3) or choices
        raise RecipeError(f"--set {path}: nothing is called '{head}' there; near: {', '.join(near) or 'nothing'}")
    return found


def _places_in_list(node: list[Any], head: str) -> tuple[list[Any], list[str]]:
    names = [str(item.get("name") or _stage_name(item) or n) if isinstance(item, dict) else str(n) for n, item in enumerate(node)]
    if head == "*":
        return list(range(len(node))), names
    named = [n for n, name in enumerate(names) if name == head]
    return named or [n for n in range(len(node)) if str(n) == head], [*names, "*"]


def _stage_name(item: Any) -> str:
    return item["target"].rpartition(":")[2] if _is_use(item) else ""


def with_card(pipeline: Pipeline, card: str) -> Pipeline:
    """The recipe over another dataset: every set of the first set's card, without the class set and fold that belonged to it."""
    old = next(iter(pipeline.sets.values())).card
    sets = {n: dataclasses.replace(s, card=card, classes=None, fold=None) if s.card == old else s for n, s in pipeline.sets.items()}
    return checked(dataclasses.replace(pipeline, sets=sets))
