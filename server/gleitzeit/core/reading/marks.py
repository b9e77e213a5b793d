"""Where in the text each value of a document stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gleitzeit.core.data import PathKey, path_text
from gleitzeit.core.diagnostics import Diagnostic, Severity


@dataclass(slots=True)
class Mark:
    """The line and column of a value and of its key, both from 1, and the marks of what is in it."""

    line: int
    column: int
    key_line: int = 0
    key_column: int = 0
    fields: dict[PathKey, Mark] = field(default_factory=dict["PathKey", "Mark"])

    def keyed(self, line: int, column: int) -> Mark:
        """The same value under a key that stands there."""
        return Mark(self.line, self.column, line, column, self.fields)


class Positions:
    """Finds the line and column of a path; works them out when first asked."""

    def __init__(self, build: Callable[[], Mark | None]) -> None:
        self._build = build
        self._built = False
        self._root: Mark | None = None

    def at(self, path: Sequence[PathKey], *, key: bool = False) -> tuple[int, int] | None:
        """The position of the value at `path`, or of its key, or of the nearest value around it."""
        mark = self.root
        if mark is None:
            return None
        for position, name in enumerate(path):
            inner = mark.fields.get(name)
            if inner is None:
                return mark.line, mark.column
            mark = inner
            if key and position + 1 == len(path) and mark.key_line:
                return mark.key_line, mark.key_column
        return mark.line, mark.column

    @property
    def root(self) -> Mark | None:
        """The mark of the whole document."""
        if not self._built:
            self._root = self._build()
            self._built = True
        return self._root


NOWHERE = Positions(lambda: None)


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnostic that is not placed yet; `key` where it is about the key and not the value."""

    code: str
    message: str
    path: tuple[PathKey, ...] = ()
    hint: str | None = None
    key: bool = False
    severity: Severity = "error"

    def under(self, path: tuple[PathKey, ...]) -> Problem:
        """The same problem, seen from further up."""
        return replace(self, path=(*path, *self.path))

    def placed(self, positions: Positions) -> Diagnostic:
        """The diagnostic, with its position."""
        line, column = positions.at(self.path, key=self.key) or (None, None)
        return Diagnostic(self.code, self.message, path_text(self.path), line, column, self.hint, self.severity)
