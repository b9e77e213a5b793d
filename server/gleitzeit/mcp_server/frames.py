"""What one line on the wire says: a message, or why it is none."""

from __future__ import annotations

import json
import logging
import re
from typing import Any, cast

from mcp.shared.message import SessionMessage
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

logger = logging.getLogger(__name__)

MOST_VALUES = 1_000_000
"""The values in one message; what they take in memory is a hundred times what they take on the wire."""

_SUSPICIOUS = 1 << 20
_MARK = b"\xef\xbb\xbf"
# A text without an end goes on to that of the line: looking for texts inside of it would take quadratic time.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NO_MESSAGE = (
    "this line is no JSON-RPC 2.0 message: an object with jsonrpc, method and, for a request, id is expected; "
    "an id is text or a whole number"
)


class MalformedFrameError(Exception):
    """A line that is no message; `answer` is what its sender is told, if it can be told anything."""

    def __init__(self, code: int, message: str, request_id: RequestId | None = None, *, silent: bool = False) -> None:
        super().__init__(message)
        error = JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message))
        self.answer = None if silent else error


def decode(line: bytes) -> SessionMessage | MalformedFrameError:
    """The message in a line, or what is wrong with it."""
    if is_bomb(line):
        return MalformedFrameError(INVALID_REQUEST, f"a message has at most {MOST_VALUES:,} values")
    try:
        message = _request(line) or jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        unmarked = line.removeprefix(_MARK)
        return decode(unmarked) if unmarked != line and not unmarked.startswith(_MARK) else _malformed(line)
    if isinstance(message, JSONRPCNotification) and b'"id"' in line and "id" in json.loads(line):
        return MalformedFrameError(INVALID_REQUEST, _NO_MESSAGE)  # a request whose id is of another type
    return SessionMessage(message)


def _request(line: bytes) -> JSONRPCRequest | None:
    """A line that can be nothing but a request; the adapter tries all kinds of messages before it says so."""
    if b'"result"' in line or b'"error"' in line or b"\\u00" in line or b'"id"' not in line:
        return None  # an answer, however its keys are spelled
    try:
        return JSONRPCRequest.model_validate_json(line, by_name=False)
    except ValidationError:
        return None


def is_bomb(text: bytes) -> bool:
    """Whether a message has so many values that reading it would take up the memory of the process."""
    return len(text) > _SUSPICIOUS and _values(text) > MOST_VALUES


def encode(message: JSONRPCMessage) -> bytes:
    """The line of a message, or of an error where that can't be written; nothing where nobody waits for it."""
    try:
        return _line_of(message)
    except ValueError:
        logger.exception("a message could not be written as JSON")
        if not isinstance(message, JSONRPCResponse):
            return b""
        error = ErrorData(code=INTERNAL_ERROR, message="the result could not be written as JSON")
        return _line_of(JSONRPCError(jsonrpc="2.0", id=message.id, error=error))


def _values(line: bytes) -> int:
    """About how many values a line has; commas and brackets in texts count only where there are many in all."""
    marks = (b",", b"{", b"[")
    if sum(map(line.count, marks)) <= MOST_VALUES:
        return 0
    bare = _TEXT.sub(b"", line)
    return sum(map(bare.count, marks))


def _malformed(line: bytes) -> MalformedFrameError:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return MalformedFrameError(PARSE_ERROR, "this line is not JSON; one JSON-RPC message a line is expected")
    if not isinstance(value, dict):
        return MalformedFrameError(INVALID_REQUEST, _NO_MESSAGE)
    fields = cast("dict[str, Any]", value)
    # A broken answer to one of our requests must not be answered: its id belongs to us.
    answers = "result" in fields or "error" in fields
    message = _HALVED if _has_half_characters(line) else _NO_MESSAGE
    return MalformedFrameError(INVALID_REQUEST, message, _known(fields.get("id")), silent=answers)


_HALVED = "a text in this line has half a character: an escape such as \\ud800 without its other half"
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def _has_half_characters(line: bytes) -> bool:
    if _SURROGATE.search(line) is None:
        return False
    try:
        jsonrpc_message_adapter.validate_json(_SURROGATE.sub(rb"\\u00", line), by_name=False)
    except ValidationError:
        return False
    return True


def _known(request_id: Any) -> RequestId | None:
    """The id, where it is one that an answer can carry."""
    if isinstance(request_id, int) and not isinstance(request_id, bool):
        return request_id
    return request_id if isinstance(request_id, str) and request_id.isprintable() else None


def _line_of(message: JSONRPCMessage) -> bytes:
    return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
