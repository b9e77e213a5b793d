"""The names that workflows may be saved under: one line of text that leads nowhere."""

from __future__ import annotations

import re

from gleitzeit.core.errors import ValidationError
from gleitzeit.core.models import Workflow

UNNAMED = Workflow(tasks=()).name
"""The name of a document that has none."""

_LONGEST = 128
_NOWHERE = frozenset({"", ".", ".."})
_HINT = f"a name has 1 to {_LONGEST} printable characters, and no part between slashes is empty, a dot or two dots"


def check_name(name: str) -> None:
    """Raise `ValidationError` for what can't be the name of a saved workflow, such as `../x`."""
    if len(name) > _LONGEST:
        raise ValidationError(f"the name is {len(name)} characters long", hint=_HINT)
    if not name.isprintable() or not _NOWHERE.isdisjoint(part.strip() for part in re.split(r"[/\\]", name)):
        raise ValidationError(f"{name!a} can't be the name of a saved workflow", hint=_HINT)
