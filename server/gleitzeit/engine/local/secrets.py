"""Secrets: filled in at dispatch, and blacked out of everything that a run leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, cast

from gleitzeit.core.graph import references_in, references_of
from gleitzeit.core.models import Workflow
from gleitzeit.core.paths import Path

BLACK = "***"


class RunSecrets(Mapping[str, str]):
    """All secrets, of which a run can use those that its document names; `named` are these, and its parent run's."""

    __slots__ = ("_forms", "_secrets", "named")

    def __init__(self, secrets: Mapping[str, str], workflow: Workflow, parent: RunSecrets | None = None) -> None:
        self._secrets = secrets
        self.named: dict[str, str] = {} if parent is None else dict(parent.named)
        if secrets:
            self.named |= {name: secrets[name] for name in _names_in(workflow) if name in secrets}
        self._forms = _forms(self.named.values()) if self.named else []

    def __getitem__(self, name: str) -> str:
        return self._secrets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def redact(self, data: Any) -> Any:
        """JSON data without any secret that the run can have."""
        return _without(data, self._forms) if self._forms else data

    def holds(self, data: Any) -> bool:
        """Whether any secret that the run can have stands in `data`."""
        return bool(self._forms) and self.redact(data) != data


def _names_in(workflow: Workflow) -> Iterator[str]:
    references = [*chain.from_iterable(map(references_of, workflow.tasks)), *references_in(workflow.outputs)]
    for reference in references:
        if isinstance(reference, Path) and reference.kind == "secrets":
            yield str(reference.keys[0])


def _forms(secrets: Iterable[str]) -> list[str]:
    """The secrets, longest first, also as they look inside of JSON text and in messages of Python."""
    values = {value for value in secrets if value}
    escaped = {json.dumps(value, ensure_ascii=plain)[1:-1] for value in values for plain in (True, False)}
    shown = {repr(value)[1:-1] for value in values}
    return sorted(values | escaped | shown, key=len, reverse=True)


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
