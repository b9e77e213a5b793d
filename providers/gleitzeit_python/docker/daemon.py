"""`Daemon`: the Docker daemon, spoken with in worker threads alone, and never about what is not ours."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import anyio

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit_python.docker import sdk
from gleitzeit_python.docker.attachment import Attachment

T = TypeVar("T")

LABEL: Final = "io.gleitzeit.sandbox"
"""Carried by everything that we make; its value is the server that made it."""

AWAY_HINT: Final = "start Docker, or name it in DOCKER_HOST or providers.python.docker.host; other tiers do without it"

_UNIX: Final = "unix://"
_USUAL: Final = f"{_UNIX}/var/run/docker.sock" if os.name != "nt" else ""
_THREADS: Final = 16
_WAITING: Final = 2048
"""Threads that wait for a container's bytes: two for each job that runs."""

_PATIENCE: Final = 60
_GONE: Final = 404
_BUSY: Final = 409


@dataclass(frozen=True, slots=True)
class Found:
    """A container of ours that the daemon knows."""

    id: str
    server: str
    state: str
    created: int


class Daemon:
    """A connection to the daemon that `host` names, or the environment."""

    def __init__(self, host: str | None = None) -> None:
        self._host = host
        self._client: Any = None
        self._connecting = threading.Lock()
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._waiting = anyio.CapacityLimiter(_WAITING)

    async def version(self) -> Mapping[str, Any]:
        """What the daemon says of itself. Raises `ProviderUnavailableError` where it does not answer."""
        return await self._do(lambda client: client.version())

    async def information(self) -> Mapping[str, Any]:
        """What the daemon knows of its machine."""
        return await self._do(lambda client: client.info())

    async def has_image(self, name: str) -> bool:
        """Whether an image is there already."""
        return bool(await self._do(lambda client: client.images(name=name, quiet=True)))

    async def pull(self, name: str) -> None:
        """Fetch an image from its registry."""
        await self._do(lambda client: client.pull(name))

    async def make_image(self, name: str, tar: bytes, changes: Sequence[str]) -> None:
        """Make an image of a tree of files."""
        repository, _, tag = name.partition(":")
        await self._do(
            lambda client: client.import_image_from_data(tar, repository=repository, tag=tag, changes=list(changes))
        )

    async def create(self, options: Callable[[Any], Mapping[str, Any]]) -> str:
        """Make a container, not started; its id."""
        made: Mapping[str, Any] = await self._do(lambda client: client.create_container(**options(client)))
        return str(made["Id"])

    async def start(self, container: str) -> Attachment:
        """Start a container, with its standard streams at hand from the first byte on."""
        return await self._do(lambda client: _started(client, container))

    async def limit_memory(self, container: str, size: int) -> None:
        """Change what a container may use, swap included."""
        await self._do(lambda client: client.update_container(container, mem_limit=size, memswap_limit=size))

    async def remove(self, container: str) -> None:
        """Kill and remove a container; that it is gone already is no error."""
        with suppress(ProviderUnavailableError):
            await self._do(lambda client: _removed(client, container))

    async def ours(self) -> Sequence[Found]:
        """Every container with our label."""
        listed: Sequence[Mapping[str, Any]] = await self._do(
            lambda client: client.containers(all=True, filters={"label": LABEL})
        )
        return [Found(it["Id"], it["Labels"].get(LABEL, ""), it["State"], int(it["Created"])) for it in listed]

    async def wait_for(self, blocking: Callable[[], T]) -> T:
        """The result of a call that waits for a container; who no longer wants it has to close what it waits for."""
        return await anyio.to_thread.run_sync(blocking, limiter=self._waiting, abandon_on_cancel=True)

    async def close(self) -> None:
        """Give the connection up."""
        await anyio.to_thread.run_sync(self._forget, limiter=self._threads)

    async def _do(self, action: Callable[[Any], T]) -> T:
        return await anyio.to_thread.run_sync(self._done, action, limiter=self._threads)

    def _done(self, action: Callable[[Any], T]) -> T:
        errors = sdk.load().errors
        try:
            return action(self._connected())
        except errors.APIError as error:
            raise ProviderUnavailableError(f"Docker refused: {error.explanation or error}") from error
        except (errors.DockerException, OSError) as error:  # those of `requests` are OSErrors
            self._forget()
            raise ProviderUnavailableError(f"Docker does not answer: {_brief(error)}", hint=AWAY_HINT) from error

    def _forget(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Any:
        with self._connecting:  # threads that come at once share one
            return self._client if self._client is not None else self._connect()

    def _connect(self) -> Any:
        _knock(self._host or os.environ.get("DOCKER_HOST") or _USUAL)
        make = sdk.load().DockerClient
        client = make.from_env(timeout=_PATIENCE) if self._host is None else make(self._host, timeout=_PATIENCE)
        self._client = client.api
        return self._client


def _knock(host: str) -> None:
    """See whether anybody listens: where nobody does, the SDK leaves its socket open."""
    if host.startswith(_UNIX) and hasattr(socket, "AF_UNIX"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
            knocking.connect(host.removeprefix(_UNIX))


def _started(client: Any, container: str) -> Attachment:
    streams = client.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    attachment = Attachment(streams)
    try:
        client.start(container)
    except BaseException:
        attachment.close()
        raise
    return attachment


def _removed(client: Any, container: str) -> None:
    try:
        client.remove_container(container, v=True, force=True)
    except sdk.load().errors.APIError as error:
        if error.status_code not in (_GONE, _BUSY):  # it may be removing itself
            raise


def _brief(error: BaseException) -> str:
    """The cause of a chain of errors: those after it quote each other."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error)[:200]
