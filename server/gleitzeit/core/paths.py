"""Plain references: `task.field[0]["key"]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.data import PathKey, is_list, is_mapping, kind_of, path_text
from gleitzeit.core.diagnostics import Diagnostic, did_you_mean, listed
from gleitzeit.core.errors import DocumentError, ReferenceUnresolvedError
from gleitzeit.core.scope import ABSENT, ALIASES, Scope

_ID = r"[A-Za-z_][A-Za-z0-9_-]*"
_STEP = r"""\.[A-Za-z_][A-Za-z0-9_]*|\[\s*\d{1,9}\s*\]|\[\s*"[^"\\]*"\s*\]|\[\s*'[^'\\]*'\s*\]"""
_PATH = re.compile(rf"\s*({_ID})((?:{_STEP})*)\s*")
_NAMED = re.compile(rf"\s*(?:tasks|steps)\.({_ID})((?:{_STEP})*)\s*")
_STEPS = re.compile(_STEP)
_CONSTANTS = frozenset({"true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Path:
    """A head (a task's id, `inputs`, `item`, `index`, `run`, `secrets`) and what is taken of it."""

    source: str
    head: str
    keys: tuple[PathKey, ...]
    kind: str

    @property
    def roots(self) -> frozenset[str]:
        """The task it refers to, if it does."""
        return frozenset({self.head}) if self.kind == "task" else frozenset()

    @property
    def inputs(self) -> frozenset[str]:
        """The input it refers to, if it does."""
        return frozenset({str(self.keys[0])}) if self.kind == "inputs" and self.keys else frozenset()

    @property
    def uses_item(self) -> bool:
        """Whether it refers to the item at hand."""
        return self.kind == "item"

    @property
    def uses_index(self) -> bool:
        """Whether it refers to the position of the item at hand."""
        return self.kind == "index"

    def as_cel(self) -> str:
        """The same as a CEL expression."""
        head = f'tasks["{self.head}"]' if self.kind == "task" else self.head
        return head + "".join(f'["{key}"]' if isinstance(key, str) else f"[{key}]" for key in self.keys)

    def resolver(self) -> Callable[[Scope, Mapping[str, Any]], Any]:
        """What finds its value in a scope."""
        match self.kind:
            case "task":
                return self._task
            case "inputs":
                return lambda scope, _: self._walk(scope.inputs)
            case "item":
                return lambda scope, _: self._walk(self._present(scope.item))
            case "index":
                return lambda scope, _: self._present(ABSENT if scope.index is None else scope.index)
            case "run":
                return lambda scope, _: scope.run_id
            case _:
                return self._secret

    def _task(self, scope: Scope, _: Mapping[str, Any]) -> Any:
        if self.head not in scope.tasks:
            raise self._unresolved(f'there is no result of "{self.head}"', hint=did_you_mean(self.head, scope.tasks))
        value = scope.tasks[self.head]
        if value is None or not self.keys:
            return value
        if self.keys[0] == "result" and not (is_mapping(value) and "result" in value):
            return self._walk(value, 1)
        return self._walk(value)

    def _secret(self, scope: Scope, _: Mapping[str, Any]) -> Any:
        name = str(self.keys[0])
        if name not in scope.secrets:
            raise self._unresolved(
                f'there is no secret "{name}"',
                hint=did_you_mean(name, scope.secrets) or "add it to secrets in the configuration",
            )
        return scope.secrets[name]

    def _present(self, value: Any) -> Any:
        if value is ABSENT:
            raise self._unresolved(f"there is no {self.head} here", hint="only a task with foreach has one")
        return value

    def _walk(self, value: Any, start: int = 0) -> Any:
        for position in range(start, len(self.keys)):
            try:
                value = value[self.keys[position]]
            except (KeyError, IndexError, TypeError):
                raise self._missing(value, position) from None
        return value

    def _missing(self, value: Any, position: int) -> ReferenceUnresolvedError:
        key = self.keys[position]
        place = path_text((self.head, *self.keys[:position]))
        if is_mapping(value):
            names = list(value)
            message = f'{place} has no field "{key}"; the fields there are: {listed(names) or "none"}'
            return self._unresolved(message, did_you_mean(str(key), names) or f"all of it is ${{{place}}}")
        if is_list(value):
            if isinstance(key, int):
                return self._unresolved(f"{place} has {len(value)} items, so there is no [{key}]", "the first is [0]")
            return self._unresolved(
                f'{place} is a list of {len(value)} and has no field "{key}"', f"{place}[0] is its first item"
            )
        return self._unresolved(f"{place} is {kind_of(value)} and has no fields")

    def _unresolved(self, message: str, hint: str | None = None) -> ReferenceUnresolvedError:
        return ReferenceUnresolvedError(f"${{{self.source}}}: {message}", hint=hint)


def parse_path(source: str) -> Path | None:
    """The path that `source` is, or nothing where it is another expression.

    Raises `DocumentError` where its head cannot be used like that.
    """
    match = _PATH.fullmatch(source) or _NAMED.fullmatch(source)
    if match is None or match.group(1) in _CONSTANTS:
        return None
    head, keys = match.group(1), tuple(_key(step) for step in _STEPS.findall(match.group(2)))
    if match.re is _PATH and head in ("tasks", "steps"):
        if not keys or not isinstance(keys[0], str):
            raise _malformed(source, f"{head} needs the id of a task", "write ${id.field}")
        return Path(source.strip(), keys[0], keys[1:], "task")
    kind = ALIASES.get(head, head) if match.re is _PATH else "task"
    if kind not in ("inputs", "item", "index", "run", "secrets"):
        return Path(source.strip(), head, keys, "task")
    return _checked(Path(source.strip(), kind, keys, kind))


def _checked(path: Path) -> Path:
    if path.kind == "secrets" and (len(path.keys) != 1 or not isinstance(path.keys[0], str)):
        raise _malformed(path.source, "a secret is named", "write ${secrets.NAME}")
    if path.kind == "run" and path.keys != ("id",):
        raise _malformed(path.source, "of the run only its id is known", "write ${run.id}")
    if path.kind == "index" and path.keys:
        raise _malformed(path.source, "index is a number and has no fields", "write ${index}")
    return path


def _key(step: str) -> PathKey:
    if step.startswith("."):
        return step[1:]
    inner = step[1:-1].strip()
    return inner[1:-1] if inner[0] in "\"'" else int(inner)


def _malformed(source: str, message: str, hint: str) -> DocumentError:
    return DocumentError([Diagnostic("reference_invalid", f"${{{source.strip()}}}: {message}", hint=hint)])
