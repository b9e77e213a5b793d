"""Python literals as `print` writes them, read without the compiler: what is printed is not ours to compile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

DEEPEST = 100
LARGEST = 256 << 10

_STRING = r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\""""
_NUMBER = r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?"
_TOKEN = re.compile(rf"\s*(?:({_STRING})|({_NUMBER})(?![\w.])|(True|False|None)(?!\w)|([\[\](){{}},:]))")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_NAMES = {"True": True, "False": False, "None": None}
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_DIGITS = 300
_FIRST = frozenset("[({'\"-+.0123456789TFN")

Token = tuple[str, Any]


class NotLiteralError(ValueError):
    """A text that is no literal."""


def literal(text: str) -> Any:
    """The data that a literal stands for; tuples and sets are lists. Raises `NotLiteralError` for any other text."""
    if text[:1] not in _FIRST or len(text) > LARGEST:
        raise NotLiteralError("it is no literal")
    tokens = _Tokens(text)
    value = _value(tokens, 0)
    if tokens.next != ("end", None):
        raise NotLiteralError("something follows")
    return value


class _Tokens:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self.next: Token = next(self._tokens)

    def take(self) -> Token:
        token = self.next
        self.next = next(self._tokens, ("end", None))
        return token

    def accept(self, mark: str) -> bool:
        if self.next != ("mark", mark):
            return False
        self.take()
        return True


def _tokens(text: str) -> Iterator[Token]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotLiteralError("it is no literal")
        position = match.end()
        string, number, name, mark = match.groups()
        if string is not None:
            yield "value", _ESCAPE.sub(_character, string[1:-1])
        elif number is not None:
            yield "value", _number(number)
        elif name is not None:
            yield "value", _NAMES[name]
        else:
            yield "mark", mark
    yield "end", None


def _value(tokens: _Tokens, depth: int) -> Any:
    if depth > DEEPEST:
        raise NotLiteralError(f"it is nested more than {DEEPEST} levels deep")
    kind, value = tokens.take()
    if kind == "value":
        return value
    if kind != "mark" or value not in _CLOSING:
        raise NotLiteralError("a value is missing")
    closing = _CLOSING[value]
    if tokens.accept(closing):
        return {} if value == "{" else []
    first = _value(tokens, depth + 1)
    if value == "{" and tokens.accept(":"):
        return _mapping(tokens, first, depth)
    return _sequence(tokens, first, value, depth)


def _mapping(tokens: _Tokens, key: Any, depth: int) -> dict[str, Any]:
    data = {_key(key): _value(tokens, depth + 1)}
    while not tokens.accept("}"):
        _comma(tokens)
        if tokens.accept("}"):
            break
        name = _key(_value(tokens, depth + 1))
        if not tokens.accept(":"):
            raise NotLiteralError("a colon is missing")
        data[name] = _value(tokens, depth + 1)
    return data


def _sequence(tokens: _Tokens, first: Any, opening: str, depth: int) -> Any:
    items, closing, comma = [first], _CLOSING[opening], False
    while not tokens.accept(closing):
        _comma(tokens)
        comma = True
        if tokens.accept(closing):
            break
        items.append(_value(tokens, depth + 1))
    return first if opening == "(" and not comma else items


def _comma(tokens: _Tokens) -> None:
    if not tokens.accept(","):
        raise NotLiteralError("a comma is missing")


def _key(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return str(value)
    raise NotLiteralError("a key that is no text")


def _number(text: str) -> int | float:
    if len(text) > _DIGITS:
        raise NotLiteralError("a number that is too long")
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code is None:
        if match[4] not in _PLAIN:
            raise NotLiteralError("an unknown escape")
        return _PLAIN[match[4]]
    number = int(code, 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise NotLiteralError("no character")
    return chr(number)
