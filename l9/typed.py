"""Plain JSON values to typed, frozen dataclasses and back, with errors that name the field.

Used for recipes, cards and the arguments of stages, tasks and models, so that every mistake reads alike.
"""

import dataclasses
import difflib
import inspect
import types
import typing
from typing import Any, Literal, Protocol, get_args, get_origin, runtime_checkable

from l9.errors import L9Error, RecipeError
from l9.fingerprint import Json, plain


@runtime_checkable
class PlainForm(Protocol):
    """A class that knows its own plain form, where the fields of a dataclass would not read well."""

    def to_plain(self) -> Json:
        """The object as plain JSON."""
        ...

    @classmethod
    def from_plain(cls, value: Any, where: str, error: type[L9Error]) -> Any:
        """The object of a plain form, checked."""
        ...


def to_plain(value: Any) -> Json:
    """Recipe objects as plain JSON types."""
    if isinstance(value, PlainForm):
        return value.to_plain()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return typing.cast(Json, plain(value))


def from_plain(kind: Any, value: Any, where: str, error: type[L9Error] = RecipeError) -> Any:
    """`value` as `kind` (a dataclass, container, union, literal or plain type), checked; `where` names the place in errors."""
    if kind is Any or kind is inspect.Parameter.empty:
        return value
    if isinstance(kind, type) and issubclass(kind, PlainForm):
        return kind.from_plain(value, where, error)
    if dataclasses.is_dataclass(kind):
        return _dataclass_from_plain(kind, value, where, error)
    origin = get_origin(kind)
    if origin is Literal:
        if value in get_args(kind) and type(value) in {type(option) for option in get_args(kind)}:
            return value
        raise wrong(where, " or ".join(repr(option) for option in get_args(kind)), value, error)
    if origin in (typing.Union, types.UnionType):
        return _union_from_plain(kind, value, where, error)
    if origin is not None:
        return _container_from_plain(origin, get_args(kind), value, where, error)
    return _plain_from_plain(kind, value, where, error)


def wrong(where: str, expected: str, value: Any, error: type[L9Error]) -> L9Error:
    """The one-line error: which field, what stands there, what was expected."""
    return error(f"{where} is {value!r}; expected {expected}")


def _dataclass_from_plain(kind: Any, value: Any, where: str, error: type[L9Error]) -> Any:
    if isinstance(value, kind):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(kind)}
    if not isinstance(value, dict):
        raise wrong(where, f"the fields of {kind.__name__}", value, error)
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for name in value:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 3) or sorted(fields)
            raise error(f"{where} has no field '{name}'; did you mean {', '.join(near)}?")
    for name, about in fields.items():
        required = about.default is dataclasses.MISSING and about.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise error(f"{where} lacks the field '{name}'")
    given = {
        name: from_plain(hints[name], item, f"{where}: {name}" if not where else f"{where}.{name}", error) for name, item in value.items()
    }
    return kind(**given)


def _union_from_plain(kind: Any, value: Any, where: str, error: type[L9Error]) -> Any:
    options = get_args(kind)
    last: L9Error | None = None
    for option in options:
        if option is type(None):
            if value is None:
                return None
            continue
        try:
            return from_plain(option, value, where, error)
        except L9Error as problem:
            last = problem
    if last is not None and len([o for o in options if o is not type(None)]) == 1:
        raise last
    raise wrong(where, " or ".join(_kind_name(option) for option in options), value, error)


def _container_from_plain(origin: Any, arguments: tuple[Any, ...], value: Any, where: str, error: type[L9Error]) -> Any:
    if origin is dict:
        if not isinstance(value, dict):
            raise wrong(where, "a mapping", value, error)
        return {key: from_plain(arguments[1], item, f"{where}.{key}", error) for key, item in value.items()}
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise wrong(where, "a list", value, error)
    if origin is tuple and arguments[-1:] != (Ellipsis,):
        if len(value) != len(arguments):
            raise wrong(where, f"{len(arguments)} values", value, error)
        return tuple(from_plain(a, item, f"{where}[{n}]", error) for n, (a, item) in enumerate(zip(arguments, value, strict=True)))
    if origin not in (tuple, list):
        return value
    return origin(from_plain(arguments[0], item, f"{where}[{number}]", error) for number, item in enumerate(value))


def _plain_from_plain(kind: Any, value: Any, where: str, error: type[L9Error]) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (int, float, str, bool) and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
        raise wrong(where, _kind_name(kind), value, error)
    return value


def _kind_name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "nothing"}
    if get_origin(kind) is Literal:
        return " or ".join(repr(option) for option in get_args(kind))
    return names.get(kind, getattr(kind, "__name__", str(kind)))
