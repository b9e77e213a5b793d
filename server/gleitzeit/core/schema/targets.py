"""What the references of a schema refer to, which is always inside of it: nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_list, is_mapping
from gleitzeit.core.schema.budget import Budget


class Targets:
    """The places in one schema that references can name: by path, by anchor, or by id."""

    __slots__ = ("_anchors", "_budget", "_found", "root")

    def __init__(self, root: Any, budget: Budget) -> None:
        self.root = root
        self._budget = budget
        self._found: dict[str, Any] = {}
        self._anchors: dict[str, Any] | None = None

    def find(self, reference: str) -> Any:
        """The schema that `reference` names, or nothing; a schema is an object, true or false."""
        if reference not in self._found:
            self._budget.spend(2 + len(reference) // 10)
            self._found[reference] = self._resolve(reference)
        return self._found[reference]

    def _resolve(self, reference: str) -> Any:
        address, _, fragment = reference.partition("#")
        start = self.root if not address else self._named().get(address)
        if not fragment or start is None:
            return start
        if fragment.startswith("/"):
            return _follow(start, _plain(fragment))
        return self._named().get(f"#{fragment}")

    def _named(self) -> dict[str, Any]:
        if self._anchors is None:
            self._anchors = {}
            waiting: list[Any] = [self.root]
            while waiting:
                current = waiting.pop()
                self._budget.spend()
                if is_mapping(current):
                    self._name(current)
                    waiting.extend(value for value in current.values() if is_mapping(value) or is_list(value))
                elif is_list(current):
                    waiting.extend(value for value in current if is_mapping(value) or is_list(value))
        return self._anchors

    def _name(self, schema: Mapping[str, Any]) -> None:
        names = self._anchors
        for key, prefix in (("$id", ""), ("$anchor", "#"), ("$dynamicAnchor", "#")):
            name = schema.get(key)
            if names is not None and isinstance(name, str) and name:
                names.setdefault(prefix + (name.removesuffix("#") if key == "$id" else name), schema)


def _plain(fragment: str) -> str:
    if "%" not in fragment:
        return fragment
    from urllib.parse import unquote  # costs what start-up must not

    return unquote(fragment)


def _follow(start: Any, pointer: str) -> Any:
    current = start
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if is_mapping(current):
            current = current.get(key)
        elif is_list(current) and key.isdecimal() and len(key) < 7 and int(key) < len(current):
            current = current[int(key)]
        else:
            return None
    return current
