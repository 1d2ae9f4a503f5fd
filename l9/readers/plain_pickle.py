"""Pickles read as plain values, without Python's unpickler: a list of opcodes, a list of names, and all else is refused.

A pickle is a program for a machine with a stack. Here that machine knows numbers, text, bytes, tuples, lists and dictionaries. It imports
nothing: a name in the pickle stands for what the caller gave for it, and only what the caller gave as a `Maker` can be called. What a
`Maker` gives may be `Unfinished`: it alone can be told its state by the pickle. Text of Python 2 is read as Latin-1.
Opcodes are those of Python's pickletools, which says of each how its argument is written.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

from l9.errors import RefusedObject
from l9.readers.files import printable

MOST_MEMO = 1_000_000  # values kept for later use; EfficientNet-lite0's 296 tensors need 2,651
MOST_STACK = 100_000  # values on the stack, and marks among them; containers are filled 1,000 items at a time
MOST_NAME = 256  # bytes of a module or of a name in it
MOST_PROTOCOL = 5

OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
PUSHED = (
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"),
    *("SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES"),
)
CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Maker:
    """What stands for a name that a pickle may call: given the arguments as a tuple of plain values, it returns a value or refuses."""

    make: Callable[[tuple[Any, ...]], Any]


class Unfinished:
    """What a `Maker` gives where the pickle tells its state afterwards, as it does for arrays."""

    def told(self, state: Any) -> None:
        """Take the state, a plain value, or refuse it."""
        raise NotImplementedError


def read_pickle(stream: BinaryIO, names: Mapping[str, Any] | None = None, persistent: Callable[[Any], Any] | None = None) -> Any:
    """The value of the pickle that begins at the stream's place, which is left behind the pickle's end.

    stream      held in memory by the caller, and so bounded
    names       "module name" -> what stands for it; a `Maker` where the pickle may call it
    persistent  what stands for a value that lies outside the pickle, told by its id; None: there is none such
    raises      RefusedObject `forbidden-opcode` or `forbidden-name` naming it, `too-large` or `unreadable`
    """
    return _Machine(stream, names or {}, persistent).run()


class _Machine:
    """The stack machine of one pickle."""

    def __init__(self, stream: BinaryIO, names: Mapping[str, Any], persistent: Callable[[Any], Any] | None) -> None:
        self._stream, self._names, self._persistent = stream, names, persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []  # heights of the stack
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Every opcode up to STOP."""
        while True:
            place = self._stream.tell()
            opcode = self._opcode(place)
            if opcode.name == "STOP":
                return self._pop()
            argument = self._argument(opcode, place)
            if opcode.name in PUSHED:
                self._push(argument)
            elif opcode.name in CONSTANTS:
                self._push(CONSTANTS[opcode.name])
            elif opcode.name in TUPLES:
                self._push(tuple(reversed([self._pop() for _ in range(TUPLES[opcode.name])])))
            else:
                DEEDS[opcode.name](self, argument)

    def _opcode(self, place: int) -> pickletools.OpcodeInfo:
        code = self._stream.read(1)
        if not code:
            _unreadable(f"it ends at byte {place:,} without the opcode STOP")
        opcode = OPCODES.get(code.decode("latin-1"))
        if opcode is None or opcode.name not in ALLOWED:
            name = f"the opcode {opcode.name}" if opcode else f"no opcode ({code.hex()})"
            raise RefusedObject("forbidden-opcode", f"{name} at byte {place:,}; expected those of plain values and arrays")
        return opcode

    def _argument(self, opcode: pickletools.OpcodeInfo, place: int) -> Any:
        if opcode.arg is None:
            return None
        try:
            return _two_lines(self._stream) if opcode.name == "GLOBAL" else opcode.arg.reader(self._stream)
        except (ValueError, OverflowError) as error:
            _unreadable(f"{opcode.name} at byte {place:,}: {' '.join(str(error).split())[:100]}")

    def _push(self, value: Any) -> None:
        if len(self._stack) >= MOST_STACK:
            raise RefusedObject("too-large", f"a pickle with more than {MOST_STACK:,} values on its stack")
        self._stack.append(value)

    def _pop(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            _unreadable("a pickle that takes more from its stack than is there")
        return self._stack.pop()

    def _since_mark(self) -> list[Any]:
        if not self._marks:
            _unreadable("a pickle that goes back to a mark that is not there")
        start = self._marks.pop()
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    def _protocol(self, number: int) -> None:
        if number > MOST_PROTOCOL:
            _unreadable(f"a pickle of protocol {number}; expected at most {MOST_PROTOCOL}")

    def _frame(self, _length: int) -> None:
        """How many bytes follow: for readers of slow streams."""

    def _mark(self, _: None) -> None:
        if len(self._marks) >= MOST_STACK:
            raise RefusedObject("too-large", f"a pickle with more than {MOST_STACK:,} marks on its stack")
        self._marks.append(len(self._stack))

    def _tuple(self, _: None) -> None:
        self._push(tuple(self._since_mark()))

    def _empty_list(self, _: None) -> None:
        self._push([])

    def _empty_dict(self, _: None) -> None:
        self._push({})

    def _append(self, _: None) -> None:
        self._extend([self._pop()])

    def _appends(self, _: None) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        self._top(list).extend(items)

    def _set_item(self, _: None) -> None:
        value, key = self._pop(), self._pop()
        self._update([key, value])

    def _set_items(self, _: None) -> None:
        self._update(self._since_mark())

    def _update(self, pairs: list[Any]) -> None:
        if len(pairs) % 2:
            _unreadable("a pickle with a key without a value")
        target = self._top(dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if type(key) not in (str, int):
                _unreadable(f"a dictionary with a key of type {type(key).__name__}; expected text or whole numbers")
            target[key] = value

    def _top(self, kind: type) -> Any:
        value = self._pop()
        if type(value) is not kind:
            _unreadable(f"a pickle that fills a {type(value).__name__} as if it were a {kind.__name__}")
        self._push(value)
        return value

    def _put(self, number: int) -> None:
        value = self._pop()
        self._push(value)
        if len(self._memo) >= MOST_MEMO and number not in self._memo:
            raise RefusedObject("too-large", f"a pickle that keeps more than {MOST_MEMO:,} values")
        self._memo[number] = value

    def _memoize(self, _: None) -> None:
        self._put(len(self._memo))

    def _get(self, number: int) -> None:
        if number not in self._memo:
            _unreadable(f"a pickle that asks for value {number:,}, which it did not keep")
        self._push(self._memo[number])

    def _global(self, name: str) -> None:
        if name not in self._names:
            raise RefusedObject("forbidden-name", f"it names {printable(name.replace(' ', '.', 1))[:100]}; expected arrays alone")
        self._push(self._names[name])

    def _stack_global(self, _: None) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            _unreadable("a pickle with a name that is no text")
        self._global(f"{module} {name}")

    def _reduce(self, _: None) -> None:
        arguments, maker = self._pop(), self._pop()
        if type(maker) is not Maker or type(arguments) is not tuple:
            raise RefusedObject("forbidden-name", f"it calls a {type(maker).__name__}; expected one of the names that make arrays")
        self._push(maker.make(arguments))

    def _build(self, _: None) -> None:
        """The state of what is unfinished; attributes of an OrderedDict, such as the versions of modules that a state dict has in
        `_metadata`, are left alone.
        """
        state = self._pop()
        top = self._pop()
        self._push(top)
        if isinstance(top, Unfinished):
            top.told(state)
        else:
            self._top(dict)

    def _persistent_id(self, _: None) -> None:
        if self._persistent is None:
            _unreadable("a pickle that refers to values outside it")
        self._push(self._persistent(self._pop()))


DEEDS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _Machine._protocol,
    "FRAME": _Machine._frame,
    "MARK": _Machine._mark,
    "TUPLE": _Machine._tuple,
    "EMPTY_LIST": _Machine._empty_list,
    "EMPTY_DICT": _Machine._empty_dict,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "MEMOIZE": _Machine._memoize,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._reduce,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._persistent_id,
}
ALLOWED = frozenset((*PUSHED, *CONSTANTS, *TUPLES, *DEEDS, "STOP"))


def _two_lines(stream: BinaryIO) -> str:
    """The argument of GLOBAL, "module name". pickletools would read escapes in it, as the unpickler does not."""
    lines = [stream.readline(MOST_NAME), stream.readline(MOST_NAME)]
    if not all(line.endswith(b"\n") for line in lines):
        raise ValueError(f"expected two lines of at most {MOST_NAME} bytes")
    return " ".join(line[:-1].decode("utf-8") for line in lines)


def _unreadable(detail: str) -> NoReturn:
    raise RefusedObject("unreadable", detail)
