"""Lines of a server's stdout as messages; an answer that cannot be read still ends the request it belongs to."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pydantic
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    jsonrpc_message_adapter,
)

_LOOKED_THROUGH = 1024 * 1024
"""How far into a line that is no message its id is looked for, so that a long one holds up nobody."""

_TEXT = rb'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(_TEXT + rb"|[{}\[\]]")
_VALUE = re.compile(rb"\s*:\s*(-?\d+|" + _TEXT + rb")?")


def message_of(line: bytes) -> JSONRPCMessage | None:
    """The message that a line is, if it is one; for an answer that cannot be read, an error with its id."""
    try:
        return _own(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except pydantic.ValidationError as error:
        reason = error.errors(include_url=False, include_input=False, include_context=False)[0]["msg"]
    with suppress(ValueError, RecursionError):
        return jsonrpc_message_adapter.validate_json(_repaired(line), by_name=False)
    answered = _answered(line[:_LOOKED_THROUGH])
    if answered is None:
        return None
    problem = ErrorData(code=PARSE_ERROR, message=f"the server's answer cannot be read: {reason}")
    return JSONRPCError(jsonrpc="2.0", id=answered, error=problem)


def _own(message: JSONRPCMessage) -> JSONRPCMessage:
    """The same message; an error that a server sends is never one of those by which the SDK tells of the connection."""
    if isinstance(message, JSONRPCError) and message.error.code in (CONNECTION_CLOSED, REQUEST_TIMEOUT):
        return message.model_copy(update={"error": message.error.model_copy(update={"code": INTERNAL_ERROR})})
    return message


def _repaired(line: bytes) -> bytes:
    """The same JSON without what is no text, such as half of a surrogate pair."""
    value = json.loads(line.decode("utf-8", "replace"))
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _answered(line: bytes) -> int | str | None:
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
    with suppress(ValueError):
        answered: int | str = json.loads(identity)
        return answered
    return None
