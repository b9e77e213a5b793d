"""What providers return, as JSON data of our own: nobody who keeps a piece of it can change what is recorded."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Callable, Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel

from gleitzeit.core.errors import GleitzeitError, LimitError, ProviderError

RESULT_BYTES = 64 * 1024 * 1024
DEEPEST = 100
RESULT = "the result"

_SMALLER = "return a part of it, or write it to a file and return the path"
_INTEGER_BITS = 14_000  # Python itself refuses to print an integer much longer than this


def recorded(value: Any, limit: int = RESULT_BYTES) -> dict[str, Any]:
    """A provider's answer as it is kept: an object as it is, anything else under `result`.

    Dataclasses, models, sets, dates and the like become JSON data; a number that is not finite becomes null, as in
    JavaScript and pandas, for one gap in a table should not cost the whole of a long computation.
    Raises `ProviderError` for what is not data, and `LimitError` over `limit` bytes.
    """
    return taken(value, limit)[0]


def taken(value: Any, limit: int = RESULT_BYTES) -> tuple[dict[str, Any], int]:
    """What `recorded` gives, and about how many bytes it is."""
    data, size = measured(value, limit)
    return (cast("dict[str, Any]", data), size) if isinstance(data, dict) else ({"result": data}, size)


def as_data(facts: Mapping[str, Any], redact: Callable[[Any], Any]) -> dict[str, Any]:
    """Facts as JSON data, or as text where a provider noted something else; redacted before anything is cut off."""
    try:
        data, _ = measured(facts)
    except GleitzeitError:
        return {"text": redact(repr(facts))[:1000]}
    return dict(redact(data))


def measured(value: Any, limit: int = RESULT_BYTES, subject: str = RESULT) -> tuple[Any, int]:
    """A fresh copy of `value` as JSON data, and about how many bytes it is; errors call it `subject`."""
    reader = _Reader(limit, subject)
    data = reader.read(value, 0)
    reader.add(0)
    return data, reader.size


def copied(data: Any) -> Any:
    """A copy of JSON data that shares nothing that could be changed."""
    kind = cast("type[object]", type(data))
    if kind is dict:
        return {key: copied(item) if type(item) in _CONTAINERS else item for key, item in data.items()}
    if kind is list:
        return [copied(item) if type(item) in _CONTAINERS else item for item in data]
    return data


_CONTAINERS = frozenset({dict, list})


def is_text(value: str) -> bool:
    """Whether a text can be written at all: half of a surrogate pair can't."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def too_large(limit: int, subject: str = RESULT) -> LimitError:
    """The error for data of more than `limit` bytes."""
    return LimitError(
        f"{subject} is larger than {limit:,} bytes (limits.result_bytes)",
        hint=_SMALLER if subject == RESULT else "refer to a smaller part of the data",
    )


class _Reader:
    """Reads one value; `size` is about the length of its JSON text."""

    __slots__ = ("_limit", "_subject", "size")

    def __init__(self, limit: int, subject: str) -> None:
        self._limit = limit
        self._subject = subject
        self.size = 0

    def read(self, value: Any, depth: int) -> Any:
        kind = cast("type[object]", type(value))
        if kind is str:
            return self._text(value)
        if kind is bool or value is None:
            self.size += 5
            return value
        if kind is int:
            return self._integer(value)
        if kind is float:
            return self._number(value)
        if depth > DEEPEST:
            raise ProviderError(
                f"{self._subject} is nested more than {DEEPEST} levels deep, or contains itself", retryable=False
            )
        if kind is dict:
            return self._object(value, depth)
        if kind is list or kind is tuple:
            return self._array(value, depth)
        return self._foreign(value, depth)

    def _text(self, value: str) -> str:
        if value.isascii():
            self.size += len(value) + 3
            if self.size > self._limit:
                raise too_large(self._limit, self._subject)
            return value
        try:
            self.add(len(value.encode()) + 3)
        except UnicodeEncodeError:  # half of a surrogate pair, which no JSON text and no database can hold
            value = value.encode("utf-8", "replace").decode()
            self.add(len(value) + 3)
        return value

    def _integer(self, value: int) -> int:
        if value.bit_length() > _INTEGER_BITS:
            raise ProviderError(f"{self._subject} has an integer of more than 4,000 digits", retryable=False)
        self.size += 8
        return value

    def _number(self, value: float) -> float | None:
        self.size += 12
        return value if math.isfinite(value) else None

    def _object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        self.add(2 + len(value))
        data: dict[str, Any] = {}
        for key, item in value.items():
            name = self._text(key) if type(key) is str else self._key(key)
            data[name] = self._text(item) if type(item) is str else self.read(item, depth + 1)
        if len(data) < len(value):
            raise ProviderError(f"two keys of {self._subject} are the same as text", retryable=False)
        return data

    def _array(self, value: Any, depth: int) -> list[Any]:
        self.add(2 + 2 * len(value))
        return [self._text(item) if type(item) is str else self.read(item, depth + 1) for item in value]

    def _key(self, key: Any) -> str:
        if isinstance(key, Enum):
            key = key.value
        if isinstance(key, bool):
            return "true" if key else "false"
        if isinstance(key, str | int | float | date | UUID | PurePath):
            return self._text(str(key))
        raise ProviderError(f"{self._subject} has a key of type {type(key).__name__}; keys are text", retryable=False)

    def _foreign(self, value: Any, depth: int) -> Any:
        match value:
            case Enum():
                return self.read(value.value, depth + 1)
            case bool() | int():
                return self._integer(int(value))
            case float():
                return self._number(float(value))
            case str():
                return self._text(str.__str__(value))
            case BaseModel():
                return self.read(value.model_dump(mode="json"), depth + 1)
            case Mapping():
                return self._object(cast("Any", value), depth)
            case Set():
                return self.read(sorted(cast("Any", value), key=_rank), depth + 1)
            case deque() | list() | tuple():
                return self._sequence(cast("Any", value), depth)
            case _:
                return self._scalar(value, depth)

    def _sequence(self, value: Any, depth: int) -> Any:
        fields = getattr(value, "_asdict", None)
        return self._array(value, depth) if fields is None else self.read(fields(), depth + 1)

    def _scalar(self, value: Any, depth: int) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return self._object(fields, depth)
        if isinstance(value, datetime | date | time):
            return self._text(value.isoformat())
        if isinstance(value, timedelta):
            return self._number(value.total_seconds())
        if isinstance(value, Decimal | UUID | PurePath):
            return self._text(str(value))
        if isinstance(value, bytes | bytearray):
            return self._bytes(value)
        as_list = getattr(value, "tolist", None)
        if callable(as_list):  # arrays and scalars of numpy and its relatives
            return self.read(as_list(), depth + 1)
        raise ProviderError(
            f"{self._subject} has a value of type {type(value).__name__}, which is not JSON data",
            hint="return dicts, lists, text, numbers, booleans and None",
            retryable=False,
        )

    def _bytes(self, value: bytes | bytearray) -> str:
        try:
            return self._text(value.decode())
        except UnicodeDecodeError:
            raise ProviderError(
                f"{self._subject} has bytes that are not text", hint="return them as base64 text", retryable=False
            ) from None

    def add(self, size: int) -> None:
        """Count, and refuse what is over the limit."""
        self.size += size
        if self.size > self._limit:
            raise too_large(self._limit, self._subject)


def _rank(value: Any) -> tuple[str, Any]:
    return (type(value).__name__, value if isinstance(value, str | int | float) else repr(value))
