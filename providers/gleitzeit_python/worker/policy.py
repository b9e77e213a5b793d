"""Which modules the code of a job may import: a policy for what people agree on, not a boundary.

Imports look for `__import__` in the builtins of the module that they stand in. So the code of the job gets builtins of
its own, while what it imports goes on with the real ones and imports whatever it needs.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

ALWAYS: Final = frozenset({"__future__", "gleitzeit_sandbox", "sys"})

_import: Final = builtins.__import__


def builtins_for(allowed: Sequence[str] | None) -> ModuleType:
    """The builtins of a job whose own code may import these modules; all if none are named."""
    if allowed is None:
        return builtins
    names = frozenset(allowed)

    def checked_import(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 its documented name
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0 and not _allowed(name, fromlist or (), names):
            raise ImportError(_refusal(name, names), name=name)
        return _import(name, globals, locals, fromlist or (), level)

    own = ModuleType("builtins", builtins.__doc__)
    own.__dict__.update(_contents(), __import__=checked_import)
    return own


def _contents() -> dict[str, Any]:
    return {name: value for name, value in vars(builtins).items() if name not in ("__name__", "__spec__", "__loader__")}


def _allowed(name: str, parts: Sequence[str], names: frozenset[str]) -> bool:
    if _covered(name, names):
        return True
    return bool(parts) and all(_covered(f"{name}.{part}", names) for part in parts)


def _covered(name: str, names: frozenset[str]) -> bool:
    """Whether a module is named, or a package that it belongs to."""
    if name.partition(".")[0] in ALWAYS:
        return True
    steps = name.split(".")
    return any(".".join(steps[: count + 1]) in names for count in range(len(steps)))


def _refusal(name: str, names: frozenset[str]) -> str:
    allowed = ", ".join(sorted(names)) or "none"
    return f"module {name!r} is not among the allowed modules ({allowed}; sys and gleitzeit_sandbox always are)"
