"""`gleitzeit servers login NAME`: a person logs in to a downstream server."""

from __future__ import annotations

import anyio

from gleitzeit.application import open_application
from gleitzeit.cli.output import kept_for_results, print_json, say
from gleitzeit.config import Configuration
from gleitzeit.store.memory import MemoryStore


def log_in(configuration: Configuration, name: str, as_json: bool) -> None:
    """Show the address to open, and wait for the person to come back from it."""
    with kept_for_results():
        anyio.run(_log_in, configuration, name)
    if as_json:
        print_json({"server": name, "logged_in": True})
    else:
        say(("logged in", "bold green"), f" to {name}")


async def _log_in(configuration: Configuration, name: str) -> None:
    async with open_application(configuration, store=MemoryStore(), recover=False) as application:
        await application.log_in(name, say)
