"""The store that a configuration names."""

from __future__ import annotations

import os
from pathlib import Path

from gleitzeit.config import Configuration
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.store.base import Store
from gleitzeit.store.memory import MemoryStore

_SQLITE = b"SQLite format 3\0"
_WRITABLE = "name a file in a folder that can be written, or set GLEITZEIT_HOME"


def store_of(config: Configuration) -> Store:
    """The store in the file `engine.database`, or in memory. Raises `ConfigurationError` for a folder out of reach."""
    file = config.engine.file
    if file is None:
        return MemoryStore()
    from gleitzeit.store.sqlite import SqliteStore  # SQLite is not loaded where runs stay in memory

    _make_folder(file.parent, config.where("engine.database"))
    return SqliteStore(file, durability=config.engine.durability)


def database_problem(config: Configuration) -> ConfigurationError | None:
    """What speaks against the file `engine.database`, as far as looking tells; nothing is created or changed."""
    file, where = config.engine.file, config.where("engine.database")
    if file is None:
        return None
    if file.exists():
        return _file_problem(file, where)
    folder = next((folder for folder in file.parents if folder.exists()), file.parent)
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return None
    reason = "can't be written" if folder.is_dir() else "is not a folder"
    return ConfigurationError(f"{where}: {file} can't be created, for {folder} {reason}", hint=_WRITABLE)


def _file_problem(file: Path, where: str) -> ConfigurationError | None:
    if not file.is_file():
        return ConfigurationError(f"{where}: {file} is not a file", hint="set engine.database to a file")
    if not (os.access(file, os.R_OK | os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)):
        return ConfigurationError(f"{where}: {file}, or its folder, can't be read and written", hint=_WRITABLE)
    with file.open("rb") as stream:
        start = stream.read(len(_SQLITE))
    if start not in (b"", _SQLITE):
        hint = "set engine.database to another file, or move this one away"
        return ConfigurationError(f"{where}: {file} is not a database", hint=hint)
    return None


def _make_folder(folder: Path, where: str) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{where}: the folder {folder} can't be created: {os.strerror(error.errno or 0)}",
            hint=_WRITABLE,
        ) from error
