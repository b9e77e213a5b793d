"""The words of a CEL expression."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["float", "int", "string", "bytes", "name", "symbol", "end"]

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n\f]+|//[^\n]*)
  | (?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<int>0[xX][0-9a-fA-F]+[uU]?|\d+[uU]?)
  | (?P<string>[rR]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<bytes>[bB][rR]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<symbol>\|\||&&|==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word; `start` and `end` are offsets in the expression."""

    kind: TokenKind
    text: str
    start: int
    end: int


class CelSyntaxError(Exception):
    """An expression that is not CEL, or more than is allowed; `offset` is where."""

    def __init__(self, message: str, offset: int, hint: str | None = None, code: str = "expression_invalid") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint
        self.code = code


def tokens(source: str) -> list[Token]:
    """The words of `source`, ending in one of kind `end`; raises `CelSyntaxError` for what is none."""
    found: list[Token] = []
    offset = 0
    while offset < len(source):
        match = _TOKEN.match(source, offset)
        if match is None:
            raise _unknown(source, offset)
        kind = match.lastgroup
        if kind != "space":
            found.append(Token(kind, match.group(), offset, match.end()))  # type: ignore[arg-type]  # group names
        offset = match.end()
    found.append(Token("end", "", offset, offset))
    return found


def _unknown(source: str, offset: int) -> CelSyntaxError:
    character = source[offset]
    if character in "\"'":
        return CelSyntaxError("a text is not closed by a quotation mark", offset)
    hints = {"=": "compare with ==", "&": "write && for and", "|": "write || for or", "$": "leave out the ${ } here"}
    return CelSyntaxError(f'"{character}" means nothing here', offset, hints.get(character))
