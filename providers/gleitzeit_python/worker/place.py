"""Where a job works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of work and of temporary files, and where what was given really is, by its name."""

    work: str
    scratch: str
    moved: Mapping[str, str] = field(default_factory=dict[str, str])

    def real(self, path: str) -> str:
        """The path by which something can be opened that was given as `path`."""
        for target, source in self.moved.items():
            if path == target or path.startswith(f"{target}/"):
                return source + path.removeprefix(target)
        return path
