"""The files that a request names: its script, what it may read, the folders of its modules, what it leaves."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from importlib.util import decode_source
from pathlib import Path, PurePosixPath

from gleitzeit.core.errors import ForbiddenError, LimitError, NotFoundError, ValidationError
from gleitzeit.providers.files import file_in, folder_in
from gleitzeit_python.broker.messages import is_name
from gleitzeit_python.worker.paths import opened

LARGEST_CODE = 4 << 20
"""Bytes of a script, or of inline code."""

_MARK = "="


def script_text(roots: Sequence[Path], name: str) -> str:
    """The text of a script. Raises an error that names it where it can't be read."""
    path = _regular(roots, name, "script")
    try:
        descriptor = opened(str(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, which no other file can take the place of
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValidationError(f'script: "{name}" is not a regular file')
            data = file.read(LARGEST_CODE + 1)
    except OSError as error:
        raise NotFoundError(f'script: "{name}" can\'t be read: {os.strerror(error.errno or 0)}') from error
    check_size(len(data), f'script: "{name}"')
    try:
        return decode_source(data)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise ValidationError(f'script: "{name}" is no text: {error}', hint="save it as UTF-8") from error


def check_size(size: int, subject: str) -> None:
    """Raise `LimitError` for code that is too large."""
    if size > LARGEST_CODE:
        raise LimitError(
            f"{subject} is larger than {LARGEST_CODE >> 20} MiB",
            hint="put data into a file and name it in `files`, or pass it by `args`",
        )


def readable_files(roots: Sequence[Path], names: Sequence[str]) -> Mapping[str, Path]:
    """The files that the code may read, by the names that they have inside."""
    paths = {name: _regular(roots, name, "files") for name in names}
    return {_inside(roots, name, path): path for name, path in paths.items()}


def folders_of_modules(roots: Sequence[Path], names: Sequence[str]) -> tuple[Path, ...]:
    """The folders that PYTHONPATH names."""
    return tuple(_mountable(_named("env: PYTHONPATH", folder_in, roots, name), name) for name in names)


def artifact_patterns(patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns of files that the code leaves. Raises an error for one that leads out of its folder."""
    for pattern in patterns:
        path = PurePosixPath(pattern)
        if path.is_absolute() or ".." in path.parts or not pattern.isprintable():
            raise ForbiddenError(
                f"artifacts: {pattern[:100]!r} is outside of the folder that the code works in",
                hint="name files relative to it, such as *.csv or plots/**",
            )
    return tuple(patterns)


def _regular(roots: Sequence[Path], name: str, parameter: str) -> Path:
    return _mountable(_named(parameter, file_in, roots, name), name)


def _named(parameter: str, find: Callable[[Sequence[Path], str], Path], roots: Sequence[Path], name: str) -> Path:
    """What `find` finds; its error names the parameter."""
    try:
        return find(roots, name)
    except (NotFoundError, ForbiddenError) as error:
        raise type(error)(f"{parameter}: {error.message}", hint=error.hint, details=error.details) from error


def _mountable(path: Path, name: str) -> Path:
    if _MARK in str(path):
        raise ValidationError(f'"{name}" has a "{_MARK}" in its path, which the sandbox cannot show', hint="rename it")
    return path


def _inside(roots: Sequence[Path], name: str, path: Path) -> str:
    """Its own name: as it was given where that is a plain relative path, else from the root on that it lies in."""
    given = PurePosixPath(Path(name).as_posix())
    if not given.is_absolute() and ".." not in given.parts:
        inside = str(given)
    else:
        root = next(root for root in map(Path.resolve, roots) if path.is_relative_to(root))
        inside = path.relative_to(root).as_posix()
    if not is_name(inside):
        raise ValidationError(f"files: {name!r} has a name that the sandbox cannot show", hint="rename it")
    return inside
