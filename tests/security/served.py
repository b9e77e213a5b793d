"""A server with a provider of one tier, and canaries beside it: it carries out code for whoever started it.

    python -m tests.security.served TIER FOLDER [SETTINGS]

It says whether the tier can be had, then takes requests and answers each, a line of JSON every time.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
from tests.security.canaries import Canaries, canaries

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.providers.base import Detached, TaskContext, enter_task
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit_python import PythonProvider

STANDBY = 2
_OWN = {"ns": 2 + STANDBY, "ll": 1 + STANDBY}
_PATIENCE = 2.0
_PLAIN = stat.S_IFREG | 0o644


class Teller(Detached):
    """Passes reports on to whoever asked."""

    async def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """With a line of its own."""
        say({"progress": done, "total": total, "message": message})


class Server:
    """Carries out one request after the other."""

    def __init__(self, tier: str, root: Path, alive: Canaries) -> None:
        self._tier = tier
        self._root = root
        self._alive = alive
        settings: dict[str, Any] = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
        self.provider = PythonProvider("python", {"tier": tier, "workers": STANDBY, **settings})
        self.registry = ProtocolProviderRegistry()
        self.registry.register_provider("python/v1", self.provider)

    async def serve(self) -> None:
        """Until nobody asks any more."""
        say(await self._first())
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            say(await self._observed(json.loads(line)))

    async def _first(self) -> Mapping[str, Any]:
        try:
            return {"ready": True, **await self._ran({"code": "print(1 + 1)", "timeout": 60})}
        except GleitzeitError as error:
            return {"ready": False, "reason": error.message}

    async def _observed(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        seen = await self._ran(request)
        hits = [*self._alive.hits(), *(f"an artifact is no plain file: {path}" for path in self._odd_files())]
        shutil.rmtree(self._root / "artifacts", ignore_errors=True)
        return {**seen, "hits": hits, "left": await self._left()}

    async def _ran(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        task = TaskContext(run_id="security", task_id="case", roots=(self._root,), support=Teller())
        parameters = {**request, "args": self._alive.addresses, "artifacts": ["**"], "max_memory": "256M"}
        leave, started, error = enter_task(task), time.monotonic(), ""
        try:
            await self.registry.execute("python/execute", parameters)
        except GleitzeitError as raised:
            error = raised.message
            if "tier" not in task.metadata.get("sandbox", {}) and error.startswith("there is no sandbox"):
                raise
        finally:
            leave()
        facts = task.metadata
        output = str(facts.get("stdout", "")) + str(facts.get("stderr", ""))
        return {"error": error, "output": output, "seconds": facts.get("duration", time.monotonic() - started)}

    def _odd_files(self) -> Iterator[Path]:
        for folder, folders, files in os.walk(self._root / "artifacts"):
            yield from (path for name in folders if (path := Path(folder, name)).is_symlink())
            yield from (path for name in files if (path := Path(folder, name)).lstat().st_mode != _PLAIN)

    async def _left(self) -> int:
        """Processes beyond those that always stand by; some may be just about to end, and tell nobody."""
        end = time.monotonic() + _PATIENCE
        while (more := descendants(os.getpid()) - _OWN.get(self._tier, 1 << 20)) > 0 and time.monotonic() < end:  # noqa: ASYNC110
            await anyio.sleep(0.02)
        return max(0, more)


def descendants(pid: int) -> int:
    """How many processes a process has started, and these in turn."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return sum(1 + descendants(int(child)) for child in children)


def say(facts: Mapping[str, Any]) -> None:
    """Answer with one line."""
    print(json.dumps(facts), flush=True)  # noqa: T201 its output is what it is for


async def main() -> None:
    """Serve until standard input ends."""
    tier, folder = sys.argv[1], Path(sys.argv[2])
    root = folder / "files"
    root.mkdir()
    with canaries(folder / "canaries") as alive:
        server = Server(tier, root, alive)
        async with server.registry.running():
            await server.serve()


if __name__ == "__main__":
    anyio.run(main)
