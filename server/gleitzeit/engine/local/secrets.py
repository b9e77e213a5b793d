"""Secrets: filled in at dispatch, and blacked out of everything that a task leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

BLACK = "***"


class Vault(Mapping[str, str]):
    """The secrets as one task sees them; remembers which it was given."""

    __slots__ = ("_secrets", "used")

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = secrets
        self.used: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        value = self.used[name] = self._secrets[name]
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def __contains__(self, name: object) -> bool:
        return name in self._secrets

    def redact(self, data: Any) -> Any:
        """JSON data without any secret that the task was given."""
        return _without(data, self._forms()) if self.used else data

    def holds(self, data: Any) -> bool:
        """Whether any secret that the task was given stands in `data`."""
        return bool(self.used) and self.redact(data) != data

    def _forms(self) -> list[str]:
        """The secrets, longest first, also as they look inside of JSON text."""
        values = {value for value in self.used.values() if value}
        escaped = {json.dumps(value, ensure_ascii=plain)[1:-1] for value in values for plain in (True, False)}
        return sorted(values | escaped, key=len, reverse=True)


def _without(data: Any, forms: list[str]) -> Any:
    if isinstance(data, str):
        for form in forms:
            data = data.replace(form, BLACK)
        return data
    if isinstance(data, Mapping):
        fields = cast("Mapping[str, Any]", data)
        return {_without(key, forms): _without(item, forms) for key, item in fields.items()}
    if isinstance(data, list | tuple):
        items = cast("Sequence[Any]", data)
        return [_without(item, forms) for item in items]
    return data
