"""Environment variables that a request names: what they may be, and the folders that PYTHONPATH lists."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.core.errors import ForbiddenError, LimitError, ValidationError

PYTHONPATH = "PYTHONPATH"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFUSED = ("LD_", "PYTHON", "DYLD_", "GLIBC_", "MALLOC_")
_LARGEST = 128 << 10
_MOST_FOLDERS = 100


def environment_of(env: Mapping[str, Any]) -> dict[str, str]:
    """The variables as text, without PYTHONPATH. Raises an error that names the one that may not be."""
    found: dict[str, str] = {}
    for name, value in env.items():
        _check_name(name)
        text = _text(name, value)
        if name != PYTHONPATH:
            found[name] = text
    if sum(len(name) + len(value) for name, value in found.items()) > _LARGEST:
        raise LimitError(f"env has more than {_LARGEST >> 10} KiB of text", hint="pass large data by `args` or `files`")
    return found


def module_folders(env: Mapping[str, Any]) -> Sequence[str]:
    """The folders that PYTHONPATH names."""
    value = env.get(PYTHONPATH)
    text = "" if value is None else _text(PYTHONPATH, value)
    folders = [folder for folder in dict.fromkeys(text.split(os.pathsep)) if folder]
    if len(folders) > _MOST_FOLDERS:
        raise LimitError(f"env: PYTHONPATH names {len(folders):,} folders, and {_MOST_FOLDERS} are the most")
    return folders


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValidationError(f"env: {name[:100]!r} is no name of a variable", hint="use letters, digits and _")
    if name != PYTHONPATH and name.upper().startswith(_REFUSED):
        raise ForbiddenError(
            f'env: "{name}" may not be set, for it changes the interpreter itself',
            hint="PYTHONPATH is the one of its kind that may; other names are free",
        )


def _text(name: str, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "\0" in text:
        raise ValidationError(f'env: the value of "{name}" has a null character in it')
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError(f'env: the value of "{name}" has half of a character in it (a lone surrogate)')
    return text
