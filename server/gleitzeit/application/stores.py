"""The store that a configuration names."""

from __future__ import annotations

import os
from pathlib import Path

from gleitzeit.config import Configuration
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.store.base import Store
from gleitzeit.store.memory import MemoryStore


def store_of(config: Configuration) -> Store:
    """The store in the file `engine.database`, or in memory. Raises `ConfigurationError` for a folder out of reach."""
    file = config.engine.file
    if file is None:
        return MemoryStore()
    from gleitzeit.store.sqlite import SqliteStore  # SQLite is not loaded where runs stay in memory

    _make_folder(file.parent, config.where("engine.database"))
    return SqliteStore(file, durability=config.engine.durability)


def _make_folder(folder: Path, where: str) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{where}: the folder {folder} can't be created: {os.strerror(error.errno or 0)}",
            hint="name a file in a folder that can be written, or set GLEITZEIT_HOME",
        ) from error
