"""What a worker may send, each told from a frame that anybody may have written."""

from __future__ import annotations

import binascii
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.data import is_object
from gleitzeit_python.broker.frames import FrameError
from gleitzeit_python.sandbox.base import ABSENT, Problem

_HIGHEST_ID = 1 << 53
_LONGEST_NAME = 1024
_LONGEST_PART = 255
_DEEPEST = 64
_LONGEST_METHOD = 256
_LONGEST_WORDS = 64 * 1024
_LONGEST_REPORT = 1024
_FOREIGN = frozenset('\\:*?"<>|' if os.name == "nt" else "")


@dataclass(frozen=True, slots=True)
class Call:
    """The code calls a method."""

    id: int
    method: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """The code asks a person."""

    id: int
    message: str
    schema: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Progress:
    """The code tells how far it is."""

    done: float
    total: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file that the code has left."""

    name: str
    data: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class End:
    """The code is over; `broken` says why the worker could not even begin."""

    exit_code: int
    value: Any = ABSENT
    problem: Problem | None = None
    broken: str = ""


Sent = Call | Ask | Progress | Piece | End


def read(frame: Mapping[str, Any]) -> Sent:
    """The message that a frame is. Raises `FrameError` where it is none."""
    if "end" in frame:
        return _end(_object(frame, "end"))
    if "call" in frame:
        return Call(_id(frame), _text(frame, "call", _LONGEST_METHOD), _object(frame, "parameters"))
    if "ask" in frame:
        schema = None if frame.get("schema") is None else _object(frame, "schema")
        return Ask(_id(frame), _text(frame, "ask", _LONGEST_WORDS), schema)
    if "progress" in frame:
        return _progress(_object(frame, "progress"))
    if "artifact" in frame:
        return _piece(frame)
    raise FrameError("a frame that is no message")


def _end(fields: Mapping[str, Any]) -> End:
    problem = None if fields.get("error") is None else _problem(_object(fields, "error"))
    code = fields.get("exit", 0)
    if not isinstance(code, int) or isinstance(code, bool) or not -(1 << 31) <= code < 1 << 32:
        raise FrameError("an exit code that is none")
    if problem is None and fields.get("ok") is not True and code == 0:
        code = 1
    return End(code, fields.get("value", ABSENT), problem, _plain(_words(fields, "broken")[:_LONGEST_NAME]))


def _problem(fields: Mapping[str, Any]) -> Problem:
    kind, message, trace, hint = (
        _words(fields, name)[:_LONGEST_WORDS] for name in ("type", "message", "traceback", "hint")
    )
    return Problem(kind[:_LONGEST_METHOD] or "Exception", message, trace, hint)


def _words(fields: Mapping[str, Any], key: str) -> str:
    """A text, if there is one: anything else may be too deep to be made one."""
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def _plain(words: str) -> str:
    """Words for a message that may be shown on a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in words)


def _progress(fields: Mapping[str, Any]) -> Progress:
    done, total, message = fields.get("done"), fields.get("total"), fields.get("message")
    if done is None or not _is_number(done) or not (total is None or _is_number(total)):
        raise FrameError("progress without numbers")
    if not (message is None or isinstance(message, str)):
        raise FrameError("progress whose message is no text")
    return Progress(done, total, None if message is None else message[:_LONGEST_REPORT])


def _piece(frame: Mapping[str, Any]) -> Piece:
    name, data = _text(frame, "artifact", _LONGEST_NAME), frame.get("data", "")
    if not is_name(name):
        raise FrameError("an artifact with a name that leads elsewhere")
    if not isinstance(data, str):
        raise FrameError("an artifact without data")
    try:
        return Piece(name, binascii.a2b_base64(data, strict_mode=True), frame.get("last", True) is True)
    except ValueError:
        raise FrameError("an artifact whose data is not base64") from None


def is_name(name: str) -> bool:
    """Whether a relative path stays below the folder that it is relative to, on any system."""
    parts = name.split("/")
    sound = all(part not in ("", ".", "..") and len(part.encode()) <= _LONGEST_PART for part in parts)
    return sound and len(parts) <= _DEEPEST and name.isprintable() and not set(name) & _FOREIGN


def _id(frame: Mapping[str, Any]) -> int:
    value = frame.get("id")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _HIGHEST_ID:
        raise FrameError("a request without an id")
    return value


def _text(frame: Mapping[str, Any], key: str, longest: int) -> str:
    value = frame.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise FrameError(f"{key} that is no text, or too long")
    return value


def _object(frame: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = frame.get(key, {})
    if not is_object(value):
        raise FrameError(f"{key} that is no object")
    return value


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and math.isfinite(value)
    )
