"""Lines of a server's stdout as messages; an answer that cannot be read still ends the request it belongs to."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from pydantic_core import to_json

from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.errors import LimitError, ProviderError
from gleitzeit_mcp.transports.base import Message, Receiver, RequestId
from gleitzeit_mcp.transports.lines import Overlong

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

LARGEST = 64 * 1024 * 1024
"""The bytes that a message may have."""

_LOOKED_THROUGH = 1024 * 1024
"""How far into a line that is no message its id is looked for, so that a long one holds up nobody."""

_TEXT = rb'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)  # a text without an end is looked at once
_VALUE = re.compile(rb"\s*:\s*(-?\d+|" + _TEXT + rb")?")
_ID_AT_END = re.compile(rb'[,{]\s*"id"\s*:\s*(-?\d+|' + _TEXT + rb")\s*(?:,\s*\"jsonrpc\"\s*:\s*\"2\.0\"\s*)?}\s*\Z")

_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF_PAIR = re.compile(rf"{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW}")
_ESCAPE = re.compile(rf"{_HIGH}{_LOW}|(?P<half>{_HIGH}|{_LOW})|\\.", re.DOTALL)


def encoded(message: Message) -> bytes:
    """A message as it is sent; halves of characters, which no wire carries, become question marks."""
    try:
        return to_json(message)
    except ValueError:  # it has such halves, or is nested deeper than that library goes
        return _encode(message).encode("utf-8", "replace")


def deliver(line: bytes, receiver: Receiver) -> bool:
    """Give a line's message to `receiver`, or the reason why the answer that it is cannot be read; False for junk."""
    try:
        value = _loaded(line)
    except (ValueError, RecursionError) as error:
        return _unreadable(line, error, receiver)
    if is_object(value):
        receiver.received(value)
        return True
    # Servers of the oldest era may send several messages at once.
    messages = [message for message in value if is_object(message)] if is_list(value) else []
    for message in messages:
        receiver.received(message)
    return bool(messages)


def give_up(line: Overlong, receiver: Receiver, longest: int) -> bool:
    """Tell the request that an overlong line answers that it gets no answer; False where it can't be told which."""
    answered = _answered(line.start)
    if answered is None and (at_end := _ID_AT_END.search(line.end)):
        answered = _read_id(at_end[1])
    if answered is None:
        return False
    receiver.failed(answered, too_large(longest, size=line.size))
    return True


def too_large(longest: int = LARGEST, *, size: int | None = None, server: str | None = None) -> LimitError:
    """The error of an answer that is larger than a message may be."""
    much = "" if size is None else f"{size // 2**20} MiB, "
    return LimitError(
        f"the answer has {much}more than the {longest // 2**20} MiB that a message may have",
        hint="ask for a smaller part of it, if the tool has a parameter for that",
        details=None if server is None else {"server": server},
    )


def _loaded(line: bytes) -> Any:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("utf-8", "replace")
    if "\\u" in text and _HALF_PAIR.search(text):  # most have no escapes, which takes less to find out
        text = _ESCAPE.sub(_repaired, text)
    return _decode(text)


def _repaired(escape: re.Match[str]) -> str:
    """An escape as it is, but for half of a surrogate pair, which is no text."""
    return "?" if escape["half"] else escape[0]


def _nothing(_constant: str) -> None:
    """NaN and the infinities are no JSON, though Python writes them; JavaScript makes them null, and so does this."""


_decode = json.JSONDecoder(parse_constant=_nothing).decode


def _unreadable(line: bytes, error: Exception, receiver: Receiver) -> bool:
    answered = _answered(line[:_LOOKED_THROUGH])
    if answered is None:
        return False
    reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    receiver.failed(answered, ProviderError(f"the answer cannot be read: {reason}", retryable=False))
    return True


def _answered(line: bytes) -> RequestId | None:
    """The id of the request that a line seems to answer, without reading the values of its other fields."""
    depth, seen = 0, dict[bytes, bytes | None]()
    for token in _TOKEN.finditer(line):
        mark = token.group()
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
        elif depth == 1 and (value := _VALUE.match(line, token.end())):
            seen[mark] = value[1]
    identity = seen.get(b'"id"')
    if identity is None or b'"method"' in seen or not {b'"result"', b'"error"'} & seen.keys():
        return None
    return _read_id(identity)


def _read_id(text: bytes) -> RequestId | None:
    with suppress(ValueError):
        identity: RequestId = json.loads(text)
        return identity
    return None
