"""Java .properties files, as Sweet Home 3D's catalogs are: latin-1, `key=value`, backslash escapes.

source  java.util.Properties.load, Java SE API
"""

import re

BREAK = re.compile(r"(?<!\\)(?:\\\\)*[=: \t\f]")
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
CONTINUED = re.compile(r"(?<!\\)(?:\\\\)*\\$")
NAMED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse_properties(data: bytes) -> dict[str, str]:
    """Key -> value of every line; a later line of the same key wins, as in Java."""
    found: dict[str, str] = {}
    for line in _logical_lines(data.decode("latin-1")):
        stop = BREAK.search(line)
        end = stop.end() - 1 if stop else len(line)
        value = re.sub(r"^[ \t\f]*[=:]?[ \t\f]*", "", line[end:], count=1)
        found[_unescaped(line[:end])] = _unescaped(value)
    return found


def _logical_lines(text: str) -> list[str]:
    lines: list[str] = []
    open_line = ""
    for raw in re.split(r"\r\n|\n|\r", text):
        line = raw.lstrip(" \t\f")
        if not open_line and (not line or line[0] in "#!"):
            continue
        if CONTINUED.search(line):
            open_line += line[:-1]
        else:
            lines.append(open_line + line)
            open_line = ""
    return [*lines, open_line] if open_line else lines


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        return chr(int(code[1:], 16)) if len(code) == 5 else NAMED.get(code, code)

    return ESCAPE.sub(one, text) if "\\" in text else text
