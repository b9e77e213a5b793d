"""`DockerHub`: manages Docker containers for Python execution."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core.errors import GleitzeitError, ProviderUnavailableError
from gleitzeit_python.docker.container import ContainerLine
from gleitzeit_python.docker.daemon import Daemon, Found
from gleitzeit_python.docker.image import PYTHON, SCRATCH, WORK, Interpreter
from gleitzeit_python.docker.options import PACKAGES, Confinement, container_memory
from gleitzeit_python.docker.owner import is_leftover, this_server
from gleitzeit_python.docker.pool import Pool
from gleitzeit_python.stdio import program
from gleitzeit_python.stdio.ready import begin

logger = logging.getLogger(__name__)

_CLOSING: Final = 30


@dataclass(frozen=True, slots=True)
class Need:
    """What a job needs of its container: memory, and paths of the host by where they are to be read inside."""

    memory: int
    binds: Mapping[str, Path] = field(default_factory=dict[str, Path])
    packages: bool = True


class DockerHub:
    """Makes containers, keeps some ready, and removes them: each runs one job, confined, and is gone.

    `image` has to have a `python`; by default one is made of this interpreter. `memory` and `disk` are in bytes; what
    stands by has them, and a job that needs other memory gets it. `runtime` is one that the daemon knows, as `runsc`.
    """

    def __init__(
        self,
        *,
        image: str | None = None,
        pool_size: int = 2,
        host: str | None = None,
        runtime: str | None = None,
        cpus: float = 1.0,
        memory: int = 256 << 20,
        disk: int = 64 << 20,
        inodes: int = 1000,
    ) -> None:
        self.hub_id = f"docker-{secrets.token_hex(4)}"
        self._image = image
        self._runtime = runtime
        self._cpus = cpus
        self._memory = memory
        self._disk = disk
        self._inodes = inodes
        self._daemon = Daemon(host)
        self._server = this_server()
        self._pool = Pool(lambda: self._made(Need(memory)), pool_size)
        self._running: set[ContainerLine] = set()
        self._group: TaskGroup | None = None
        self._removing: set[str] = set()
        self._making_image = anyio.Lock()
        self._ready_image: str | None = None

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Remove what dead servers have left, and keep containers ready; at the end all of ours are gone.

        Raises `ProviderUnavailableError` where the daemon is away.
        """
        try:
            await self._daemon.version()
            await self.remove_leftovers()
            await self._image_name()
            async with anyio.create_task_group() as group:
                self._group = group
                group.start_soon(self._pool.serve)
                try:
                    yield
                finally:
                    self._group = None
                    group.cancel_scope.cancel()
        finally:
            with anyio.move_on_after(_CLOSING, shield=True):
                await self._clear()

    async def take(self, need: Need) -> ContainerLine:
        """A container that waits for a job. Whoever takes it gives it back by `give_back`, whatever happened."""
        if self._group is None:
            raise ProviderUnavailableError("the Docker hub is closed")
        if need.binds or not need.packages:
            container = await self._made(need)
        else:
            container = await self._pool.take()
        self._running.add(container)
        try:
            await container.limit_memory(container_memory(need.memory))
        except BaseException:
            await self.discard(container)
            raise
        return container

    def give_back(self, container: ContainerLine) -> None:
        """Let go of a container whose job is over; it is not used again."""
        self._running.discard(container)
        container.let_go()

    async def discard(self, container: ContainerLine) -> None:
        """Kill a container."""
        self._running.discard(container)
        await container.kill()

    async def containers(self) -> Sequence[Found]:
        """Those of this hub's server that the daemon knows."""
        return [found for found in await self._daemon.ours() if found.server == self._server]

    async def remove_leftovers(self) -> int:
        """Remove the containers of servers that are gone; how many there were."""
        leftovers = [found for found in await self._daemon.ours() if is_leftover(found, self._server)]
        for found in leftovers:
            logger.info("removing the container %s of a server that is gone", found.id[:12])
            await self._daemon.remove(found.id)
        return len(leftovers)

    async def health_check(self) -> dict[str, Any]:
        """Whether the daemon answers, and how many containers stand by and run."""
        try:
            version = await self._daemon.version()
        except GleitzeitError as error:
            return {"status": "unhealthy", "hub": self.hub_id, "error": error.message, "hint": error.hint}
        return {
            "status": "healthy",
            "hub": self.hub_id,
            "docker": str(version.get("Version", "")),
            "image": self._ready_image,
            "ready": len(self._pool),
            "running": len(self._running),
        }

    @property
    def own_image(self) -> bool:
        """Whether containers have this very interpreter."""
        return self._image is None

    async def _clear(self) -> None:
        await self._pool.empty()
        for container in list(self._running):
            await self.discard(container)
        async with anyio.create_task_group() as removing:
            for identity in list(self._removing):
                removing.start_soon(self._removed, identity)
        await self._daemon.close()

    def _remove(self, identity: str) -> None:
        self._removing.add(identity)
        if self._group is not None:
            self._group.start_soon(self._removed, identity)

    async def _removed(self, identity: str) -> None:
        await self._daemon.remove(identity)
        self._removing.discard(identity)

    async def _made(self, need: Need) -> ContainerLine:
        packages = _site_packages() if need.packages and self.own_image else {}
        confinement = Confinement(
            await self._image_name(),
            (PYTHON, "-I", "-S") if self.own_image else ("python", "-I"),
            self._server,
            need.memory,
            self._cpus,
            self._disk,
            self._inodes,
            self._runtime,
            {**need.binds, **packages},
        )
        identity = await self._daemon.create(confinement.options)
        try:
            attachment = await self._daemon.start(identity)
            container = ContainerLine(self._daemon, identity, attachment, container_memory(need.memory), self._remove)
            await begin(container, program.text(WORK, SCRATCH, list(packages), ahead=True), "a container")
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._daemon.remove(identity)
            raise
        return container

    async def _image_name(self) -> str:
        async with self._making_image:
            if self._ready_image is None:
                named = self._image
                self._ready_image = await (self._made_image() if named is None else self._fetched(named))
        return self._ready_image

    async def _made_image(self) -> str:
        interpreter = Interpreter.running()
        if not await self._daemon.has_image(interpreter.image):
            tar = await anyio.to_thread.run_sync(interpreter.tar)
            await self._daemon.make_image(interpreter.image, tar, interpreter.changes)
        return interpreter.image

    async def _fetched(self, image: str) -> str:
        if not await self._daemon.has_image(image):
            await self._daemon.pull(image)
        return image


def _site_packages() -> dict[str, Path]:
    """The folders of installed packages, by where they are inside."""
    folders = [Path(path) for path in dict.fromkeys(sys.path) if path.endswith(("site-packages", "dist-packages"))]
    return {f"{PACKAGES}/{index}": folder for index, folder in enumerate(folders) if folder.is_dir()}
