"""Gleitzeit 0.0.5, the package of that name on PyPI, on SQLite: its native client, with its own defaults.

A fresh client and file for each run, since the older ones slow the next down. The resource hub, which would look for
Ollama, and logging are off. Workflows are read from JSON, which is quicker than YAML.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks import contender
from benchmarks.contender import PAYLOAD, Contender, Shape, Work

# Only there in the environment that this file is run in, where `gleitzeit` is another package.
Client: Any = import_module("gleitzeit.client").GleitzeitClient
Provider: Any = import_module("gleitzeit.providers.base").ProtocolProvider
protocol: Any = import_module("gleitzeit.core.protocol")


class Answering(Provider):  # type: ignore[misc]  # its base is known in that environment alone
    """Returns the same to every request."""

    async def handle_request(self, method: str, params: dict[str, Any]) -> dict[str, str]:
        """Return the payload."""
        return {"r": PAYLOAD}

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def health_check(self) -> bool:
        """Always."""
        return True

    def get_supported_methods(self) -> Sequence[str]:
        """The one there is."""
        return ["bench/answer"]


def document(shape: Shape, tasks: int) -> dict[str, Any]:
    """A workflow of so many tasks."""
    return {
        "name": "bench",
        "tasks": [
            {
                "id": f"t{number}",
                "name": f"t{number}",
                "protocol": "bench/v1",
                "method": "bench/answer",
                "params": {},
                "dependencies": [f"t{number - 1}"] if shape is Shape.CHAIN and number else [],
            }
            for number in range(tasks)
        ],
    }


class Earlier(Contender):
    """One client at a time."""

    version = f"gleitzeit {version('gleitzeit')}"

    def __init__(self, folder: Path) -> None:
        logging.disable(logging.CRITICAL)
        self._folder = folder
        self._numbers = count()
        self._client: Any = None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._leave()

    async def prepare(self, shape: Shape, tasks: int) -> Work:
        """A workflow in a file, and a client with a database of its own."""
        await self._leave()
        number = next(self._numbers)
        file = self._folder / f"{number}.json"
        file.write_text(json.dumps(document(shape, tasks)), encoding="utf-8")
        client = self._client = await self._enter(self._folder / f"{number}.db")

        async def work() -> None:
            over = await client.run_workflow(str(file))
            completed = sum(result["status"] == "completed" for result in over["results"].values())
            if completed != tasks:
                raise RuntimeError(f"{completed} of {tasks} tasks completed")

        return work

    async def _enter(self, database: Path) -> Any:
        stored = {"type": "sql", "sql_db_path": str(database)}
        client = Client(mode="native", native_config={"persistence": stored, "enable_resource_management": False})
        await client.__aenter__()
        # It has no public way to register a provider.
        registry = client._execution_engine.registry  # noqa: SLF001
        methods = {"bench/answer": protocol.MethodSpec(name="bench/answer")}
        registry.register_protocol(protocol.ProtocolSpec(name="bench", version="v1", methods=methods))
        registry.register_provider("bench", "bench/v1", Answering("bench", "bench/v1"))
        return client

    async def _leave(self) -> None:
        if self._client is not None:
            await self._client.__aexit__(None, None, None)
            self._client = None


if __name__ == "__main__":
    contender.main(Earlier)
