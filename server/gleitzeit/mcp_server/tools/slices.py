"""A part of a value, as large as it may be: texts by characters, lists by items, objects by fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gleitzeit.core.data import PathKey, is_mapping, is_sequence
from gleitzeit.mcp_server.rendering.answer import compact, size
from gleitzeit.mcp_server.rendering.excerpt import Cut, excerpt, extent


@dataclass(frozen=True, slots=True)
class Slice:
    """What is shown from `offset` on, of how much in all, and where the rest begins.

    A single item that is too large to be shown whole is `cut`.
    """

    value: Any
    whole: str
    total: int
    offset: int = 0
    next_offset: int | None = None
    cuts: Sequence[Cut] = ()


def slice_of(value: Any, offset: int, limit: int | None, room: int, path: tuple[PathKey, ...] = ()) -> Slice:
    """The part of `value`, which stands at `path`, from `offset` on, in at most about `room` bytes of JSON."""
    if isinstance(value, str):
        piece = _piece(value, offset, len(value) if limit is None else limit, room)
        return _slice(value, piece, offset, len(piece))
    if not (is_sequence(value) or is_mapping(value)):
        return Slice(value, extent(value), 1)
    entries = list(islice(value.items() if is_mapping(value) else enumerate(value), min(offset, len(value)), None))
    shown = _fitting(entries[:limit], room)
    if entries and not shown:
        return _cut(value, entries[0], offset, room, path)
    return _slice(value, _shaped(value, shown), offset, len(shown))


def _piece(text: str, offset: int, most: int, room: int) -> str:
    piece = text[offset : offset + min(most, room)]
    while (taken := size(compact(piece))) > room and piece:
        piece = piece[: min(len(piece) - 1, len(piece) * room // taken)]
    return piece


def _fitting(entries: list[tuple[Any, Any]], room: int) -> list[tuple[Any, Any]]:
    for index, entry in enumerate(entries):
        room -= size(compact(entry))
        if room < 0:
            return entries[:index]
    return entries


def _cut(value: Any, entry: tuple[Any, Any], offset: int, room: int, path: tuple[PathKey, ...]) -> Slice:
    key, item = entry
    shown = excerpt(item, room, (*path, key))
    return _slice(value, _shaped(value, [(key, shown.value)]), offset, 1, shown.cuts)


def _shaped(value: Sequence[Any] | Mapping[str, Any], entries: list[tuple[Any, Any]]) -> Any:
    return dict(entries) if is_mapping(value) else [item for _, item in entries]


def _slice(value: Any, shown: Any, offset: int, count: int, cuts: Sequence[Cut] = ()) -> Slice:
    following = offset + count
    rest = following if following < len(value) and count else None
    return Slice(shown, extent(value), len(value), offset, rest, cuts)
