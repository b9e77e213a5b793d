"""What is shown of a value that is too large: its structure, with texts, lists and objects cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gleitzeit.core.data import PathKey, is_mapping, is_sequence
from gleitzeit.mcp_server.rendering.answer import compact, size
from gleitzeit.mcp_server.rendering.places import place_text

_SHAPES = ((2_000, 40), (800, 20), (300, 10), (100, 5), (40, 3), (16, 1))
"""Characters of a text, and items of a list, from the most generous to the scantest."""
_DEEPEST = 8
_MOST_CUTS = 5
_LONGEST_KEY = 100
_PUNCTUATION = 3
_FIELDS_AN_ITEM = 2  # fields tell more than further items


@dataclass(frozen=True, slots=True)
class Cut:
    """A place where something is missing, and how much there is in all."""

    path: str
    whole: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The part of a value that is shown, and the first few places where it was cut."""

    value: Any
    cuts: Sequence[Cut]


def excerpt(value: Any, budget: int, path: Sequence[PathKey] = ()) -> Excerpt:
    """As much of `value`, which stands at `path`, as fits into about `budget` bytes."""
    for characters, items in _SHAPES:
        shears = _Shears(characters, items, budget)
        try:
            return Excerpt(shears.cut(value, tuple(path)), shears.cuts)
        except _TooLarge:
            continue
    whole = extent(value)
    return Excerpt({"…": whole} if is_mapping(value) else f"… {whole}", [Cut(place_text(path), whole)])


def extent(value: Any) -> str:
    """How much there is of a value, in the unit in which it is read on."""
    if not (isinstance(value, str) or is_mapping(value) or is_sequence(value)):
        return "1 value"
    unit = "character" if isinstance(value, str) else "field" if is_mapping(value) else "item"
    return f"{len(value)} {unit}" if len(value) == 1 else f"{len(value)} {unit}s"


class _TooLarge(Exception):
    """What would be shown is over its budget."""


class _Shears:
    def __init__(self, characters: int, items: int, budget: int) -> None:
        self.cuts: list[Cut] = []
        self._characters = characters
        self._items = items
        self._left = budget

    def cut(self, value: Any, path: tuple[PathKey, ...]) -> Any:
        if isinstance(value, str):
            return self._text(value, path)
        if (is_mapping(value) or is_sequence(value)) and len(path) >= _DEEPEST and value:
            self._note(path, value)
            return self._spent(f"… {extent(value)}")
        if is_mapping(value):
            return self._object(value, path)
        return self._list(value, path) if is_sequence(value) else self._spent(value)

    def _text(self, text: str, path: tuple[PathKey, ...]) -> str:
        if len(text) <= self._characters:
            shown = text
        else:
            self._note(path, text)
            shown = f"{text[: self._characters]}… ({extent(text)})"
        self._spend(shown)
        return shown

    def _list(self, items: Sequence[Any], path: tuple[PathKey, ...]) -> list[Any]:
        shown = [self.cut(item, (*path, index)) for index, item in enumerate(items[: self._items])]
        if len(items) > len(shown):
            self._note(path, items)
            shown.append(self._spent(f"… {len(items) - len(shown)} more of {extent(items)}"))
        return shown

    def _object(self, fields: Mapping[str, Any], path: tuple[PathKey, ...]) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for name, value in islice(fields.items(), self._items * _FIELDS_AN_ITEM):
            key = str(name)
            self._spend(key[:_LONGEST_KEY])
            shown[key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…"] = self.cut(value, (*path, key))
        if len(fields) > len(shown):
            self._note(path, fields)
            shown["…"] = self._spent(f"{len(fields) - len(shown)} more of {extent(fields)}")
        return shown

    def _note(self, path: tuple[PathKey, ...], value: Any) -> None:
        if len(self.cuts) < _MOST_CUTS:
            self.cuts.append(Cut(place_text(path), extent(value)))

    def _spent(self, value: Any) -> Any:
        self._spend(value)
        return value

    def _spend(self, value: Any) -> None:
        self._left -= size(compact(value)) + _PUNCTUATION
        if self._left < 0:
            raise _TooLarge
