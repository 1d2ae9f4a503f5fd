"""Typed, frozen recipe objects, and the importable targets they name.

A recipe says `Use(VoxNet, ...)`; what is kept is an importable name with plain values, checked against the signature before any
work begins. `l9.recipe` loads and overrides whole recipes.
"""

import difflib
import importlib
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from l9.errors import L9Error, RecipeError
from l9.fingerprint import Json, plain
from l9.typed import from_plain, to_plain, wrong

FILLED = ("classes", "up")  # arguments that a card fills where a recipe leaves them out
FOLDS = 5  # cards number their folds 0 to 4
RECIPE_MODULE = "l9_recipe_"  # the name a recipe file is imported under; nothing in it can be imported on a worker


@dataclass(frozen=True, init=False)
class Use:
    """An importable target with plain arguments: `Use(occupancy, resolution=32)` or `Use("l9.stages:occupancy", resolution=32)`."""

    target: str
    arguments: dict[str, Any]

    def __init__(self, target: str | Callable[..., Any], **arguments: Any) -> None:
        name = target if isinstance(target, str) else name_of(target)
        object.__setattr__(self, "target", name)
        object.__setattr__(self, "arguments", plain(arguments, name))

    def resolve(self) -> Callable[..., Any]:
        """The target itself, imported; RecipeError where there is none."""
        return resolve_target(self.target)

    def to_plain(self) -> Json:
        """`{"target": "module:name", "arguments": {...}}`."""
        return {"target": self.target, "arguments": to_plain(self.arguments)}

    @classmethod
    def from_plain(cls, value: Any, where: str, error: type[L9Error]) -> "Use":
        """Back from `to_plain`."""
        if isinstance(value, Use):
            return value
        if not isinstance(value, dict) or set(value) - {"target", "arguments"} or not isinstance(value.get("target"), str):
            raise wrong(where, '{"target": "module:name", "arguments": {...}}', value, error)
        return cls(value["target"], **value.get("arguments", {}))


@dataclass(frozen=True, init=False)
class Prep:
    """The stages of one preparation, in order."""

    stages: tuple[Use, ...]

    def __init__(self, *stages: Use) -> None:
        object.__setattr__(self, "stages", tuple(stages))

    def to_plain(self) -> Json:
        """The list of stages."""
        return [stage.to_plain() for stage in self.stages]

    @classmethod
    def from_plain(cls, value: Any, where: str, error: type[L9Error]) -> "Prep":
        """Back from `to_plain`."""
        return value if isinstance(value, Prep) else cls(*from_plain(tuple[Use, ...], value, where, error))


@dataclass(frozen=True)
class Set:
    """One store: a card prepared in one way. `classes`, `fold` and `whole` pick rows of it and are no part of its key.

    whole  objects without a fold or split are all tested, where else a hash puts 1 of 10 into the test part: for a card that no
           training of the recipe learns from
    """

    card: str
    prep: Prep
    classes: str | None = None
    fold: int | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        if self.fold is not None and not 0 <= self.fold < FOLDS:
            raise RecipeError(f"Set: fold is {self.fold}; expected 0 to {FOLDS - 1}")


@dataclass(frozen=True)
class Schedule:
    """How long, in which batches, and how the rates move.

    epochs or steps   exactly one is given
    batch             samples in a global cut; or `elements`: the greedy cut by items of the sample column
    lr                overrides the rate where there is one player
    curve             factor over the run, multiplying every rate: "constant", "cosine" (to 0), "step" (x `decay` every `every` epochs), or
                      "plateau" (x `decay` where the loss on the validation part has not fallen for `every` epochs)
    warmup            share of the run over which the factor first rises linearly from 0
    accumulate        micro-batches a rank splits its part into; gradients are summed before the step
    checkpoint_every  epochs between checkpoints
    """

    epochs: int | None = None
    steps: int | None = None
    batch: int | None = 32
    elements: int | None = None
    lr: float | None = None
    curve: Literal["constant", "cosine", "step", "plateau"] = "constant"
    decay: float = 0.5
    every: int = 20
    warmup: float = 0.0
    accumulate: int = 1
    checkpoint_every: int = 10

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise RecipeError("Schedule: give exactly one of epochs and steps")
        if (self.batch is None) == (self.elements is None):
            raise RecipeError("Schedule: give exactly one of batch and elements")
        for name in ("epochs", "steps", "batch", "elements", "every", "accumulate", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RecipeError(f"Schedule: {name} is {value}; expected at least 1")
        if self.lr is not None and not self.lr > 0:
            raise RecipeError(f"Schedule: lr is {self.lr}; expected a rate above 0")
        if not 0 <= self.warmup <= 1:
            raise RecipeError(f"Schedule: warmup is {self.warmup}; expected a share between 0 and 1")


@dataclass(frozen=True)
class Training:
    """One network (or a baseline: model None) on one task.

    sets, test  names of sets to learn from and to report; default for both: the first set
    parts       what of them is learnt / reported. Choose settings by "train/validation", report "train/test"; with the settings chosen,
                "train+validation/test" learns from all but the test part
    schedule    of a network that learns; None for a baseline, and for a frozen network, whose task has no players and evaluates alone
    init        whose weights are copied by name and shape: an earlier training of this pipeline, a .safetensors file, a card of weights
                (fetched where it is not there), weights that were imported into the home, or a run
    """

    task: Use
    model: Use | None
    schedule: Schedule | None = None
    name: str = ""
    sets: tuple[str, ...] | None = None
    test: tuple[str, ...] | None = None
    parts: Literal["train/test", "train/validation", "train+validation/test"] = "train/test"
    init: str | None = None

    def __post_init__(self) -> None:
        if self.schedule is not None and self.schedule.curve == "plateau" and "validation" in self.parts.partition("/")[0]:
            raise RecipeError(f'Training: parts is {self.parts}; with curve="plateau" expected parts that do not learn from validation')


@dataclass(frozen=True)
class Train:
    """Where and how precisely trainings run.

    workers    0: in this process; N: Ray Train workers; (min, max): elastic
    gpus       "auto": one a worker where there are any; else how many a worker
    precision  "auto": bfloat16 autocast where the processor is faster in it, else "float32"
    """

    workers: int | tuple[int, int] = 0
    gpus: Literal["auto"] | int = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        fewest, most = (self.workers, self.workers) if isinstance(self.workers, int) else self.workers
        if not 0 <= fewest <= most or (fewest == 0 and most > 0):
            raise RecipeError(f"Train: workers is {self.workers}; expected 0, a number, or (min, max) from 1 on")
        if self.gpus != "auto" and self.gpus < 0:
            raise RecipeError(f"Train: gpus is {self.gpus}; expected 'auto' or a number from 0 on")


@dataclass(frozen=True)
class Pipeline:
    """A recipe: sets to prepare and trainings to run over them, for each seed."""

    name: str
    sets: dict[str, Set]
    trainings: tuple[Training, ...] = ()
    train: Train = field(default_factory=Train)
    seeds: tuple[int, ...] = (0,)

    def describe(self) -> dict[str, Json]:
        """The whole recipe as plain JSON; `from_plain(Pipeline, ...)` gives it back."""
        value = to_plain(self)
        assert isinstance(value, dict)
        return value


def name_of(target: Callable[..., Any]) -> str:
    """`module:name` of a function or class that workers can import; RecipeError with the cure otherwise."""
    module, name = getattr(target, "__module__", ""), getattr(target, "__qualname__", "")
    cure = "put it in a package of yours and install that (pip install -e DIR)"
    if not name or name == "<lambda>":
        raise RecipeError(f"{target!r} has no importable name; {cure}")
    if "<locals>" in name or module == "__main__" or module.startswith(RECIPE_MODULE):
        raise RecipeError(f"{name} is defined in the recipe itself, where workers cannot import it; {cure}")
    return f"{module}:{name}"


def resolve_target(name: str) -> Callable[..., Any]:
    """Import `module:name`; RecipeError with near matches where it is not there."""
    module_name, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise RecipeError(f"'{name}' cannot be imported ({error}); expected module:name of an installed package") from error
    if not callable(found):
        raise RecipeError(f"'{name}' is a {type(found).__name__}; expected a function or a class")
    return typing.cast(Callable[..., Any], found)


def with_defaults(use: Use, *, leading: int = 0, fill: dict[str, Any] | None = None) -> Use:
    """`use` with every argument of its signature spelled out, checked by name and type.

    leading  positional arguments the caller supplies itself (1 for stages: the object)
    fill     values for `classes` and `up` where the recipe left them out and the target takes them
    raises   RecipeError naming the argument, with near matches
    """
    target = use.resolve()
    parameters = list(inspect.signature(target).parameters.values())[leading:]
    known = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for name in use.arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3) or sorted(known)
            raise RecipeError(f"{use.target} has no argument '{name}'; it takes {', '.join(near) or 'none'}")
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    arguments: dict[str, Any] = {}
    for name, parameter in known.items():
        if name in use.arguments:
            arguments[name] = from_plain(hints.get(name, Any), use.arguments[name], f"{use.target} {name}")
        elif name in FILLED:
            if fill and name in fill:
                arguments[name] = fill[name]
        elif parameter.default is not parameter.empty:
            arguments[name] = parameter.default
        else:
            raise RecipeError(f"{use.target} needs the argument '{name}'")
    return Use(use.target, **arguments)


def build_arguments(use: Use) -> dict[str, Any]:
    """The arguments of a Use in the types its target's signature says (tuples, not lists)."""
    target = use.resolve()
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    return {name: from_plain(hints.get(name, Any), value, f"{use.target} {name}") for name, value in use.arguments.items()}


def build(use: Use) -> Any:
    """Call the target with its arguments: a model, a task, a picture maker."""
    return use.resolve()(**build_arguments(use))
