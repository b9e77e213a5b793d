"""Working on the runs and workflows that are kept in the database, without carrying anything out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

import anyio

from gleitzeit.application import Application, open_application
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.output import kept_for_results
from gleitzeit.core.errors import ConfigurationError

CALLER = "local"
"""Whose runs and workflows those are that begin at a terminal."""
ANYBODY: None = None
"""Whose runs are seen and steered there: whoever can open the database has them all, and a person answers any."""

Result = TypeVar("Result")


def with_database(
    config: Path | None, work: Callable[[Application], Awaitable[Result]], *, prints: bool = False
) -> Result:
    """What `work` returns, which may print results itself where it says so.

    Raises `ConfigurationError` where runs are kept in memory, which no other process can see.
    """
    configuration = configured(config)
    if configuration.engine.file is None:
        where = configuration.where("engine.database")
        raise ConfigurationError(
            f"{where}: runs are kept in memory, and end with the process that carries them out",
            hint="name a file in engine.database, or remove the key",
        )

    async def worked() -> Result:
        async with open_application(configuration, recover=False, warm=False) as application:
            return await work(application)

    with nullcontext() if prints else kept_for_results():
        return anyio.run(worked)
