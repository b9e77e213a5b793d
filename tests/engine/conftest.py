"""An engine over a real registry, with a provider whose methods are plain functions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.models import Event, Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local import Clock, LocalEngine
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit.store.base import Owner, Store
from gleitzeit.store.memory import MemoryStore
from gleitzeit.store.sqlite import SqliteStore

Method = Callable[[dict[str, Any]], Awaitable[Any]]


class Functions(ProtocolProvider):
    """Serves `test/<name>` by the function of that name; `echo` returns its parameters."""

    def __init__(self) -> None:
        super().__init__("functions", "test/v1")
        self.functions: dict[str, Method] = {"echo": self._echo}
        self.specs: dict[str, MethodSpec] = {}

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        function = self.functions.get(method.removeprefix("test/"))
        if function is None:
            raise MethodNotFoundError(f"there is no method {method}")
        return await function(parameters)

    async def describe(self, method: str) -> MethodSpec | None:
        return self.specs.get(method.removeprefix("test/"))

    async def _echo(self, parameters: dict[str, Any]) -> Any:
        return parameters


class FastClock(Clock):
    """Passes the time of every sleep at once, and remembers it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    def jitter(self) -> float:
        return 0.0


class Bench:
    """A running engine and what tests do with it."""

    def __init__(self, new_store: Callable[[], Store] = MemoryStore) -> None:
        self.new_store = new_store
        self.provider = Functions()
        self.clock = FastClock()
        self.registry = ProtocolProviderRegistry()
        self.registry.register_provider("test/v1", self.provider)
        self.engine: LocalEngine
        self.store: Store
        self._stack = AsyncExitStack()

    async def start(self, *, store: Store | None = None, **options: Any) -> None:
        """Run an engine with these options, in place of the one before."""
        self.store = store or self.new_store()
        await self._stack.enter_async_context(self.registry.running())
        engine = LocalEngine(self.registry, self.store, clock=self.clock, **options)
        self.engine = await self._stack.enter_async_context(engine)

    async def stop(self) -> None:
        await self._stack.aclose()

    def method(self, function: Method) -> Method:
        """Serve `test/<the function's name>`."""
        self.provider.functions[function.__name__] = function
        return function

    async def submit(
        self, document: Mapping[str, Any] | list[Any], inputs: Mapping[str, Any] | None = None, **fields: Any
    ) -> Run:
        return await self.engine.submit(Submission(workflow(document), inputs or {}, **fields))

    async def run(
        self, document: Mapping[str, Any] | list[Any], inputs: Mapping[str, Any] | None = None, **fields: Any
    ) -> Run:
        accepted = await self.submit(document, inputs, **fields)
        with anyio.fail_after(10):
            return await self.engine.wait(accepted.id)

    async def events(self, run_id: str) -> list[Event]:
        with anyio.fail_after(10):
            return [event async for event in self.engine.events(run_id)]


def workflow(document: Mapping[str, Any] | list[Any]) -> Workflow:
    return Workflow.model_validate(document if isinstance(document, Mapping) else {"tasks": document})


@pytest.fixture(params=["memory", "sqlite"])
async def bench(anyio_backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """An engine on each kind of store."""
    files = count()
    on_disk = request.param == "sqlite"
    made = Bench((lambda: SqliteStore(tmp_path / f"{next(files)}.db")) if on_disk else MemoryStore)
    await made.start()
    yield made
    await made.stop()


class World:
    """Processes that share a database: each an engine of its own."""

    def __init__(self, new_store: Callable[[], Store]) -> None:
        self.provider = Functions()
        self.clock = FastClock()
        self.registry = ProtocolProviderRegistry()
        self.registry.register_provider("test/v1", self.provider)
        self._new_store = new_store
        self._names = count()

    @asynccontextmanager
    async def process(self, *, carries: bool = True, **options: Any) -> AsyncGenerator[LocalEngine]:
        """One that carries runs out, or only looks at them, until it leaves in good order."""
        registry = self.registry if carries else ProtocolProviderRegistry()
        owner = Owner(f"process-{next(self._names)}")
        store = self._new_store()
        async with (
            registry.running(),
            LocalEngine(registry, store, clock=self.clock, owner=owner, recover=carries, **options) as engine,
        ):
            yield engine

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Store]:
        """The store as somebody opens it who is no engine."""
        store = self._new_store()
        await store.open(Owner(f"process-{next(self._names)}"))
        try:
            yield store
        finally:
            await store.close()

    def method(self, function: Method, *, idempotent: bool = True) -> None:
        """Serve `test/<the function's name>`, which may be repeated where it is idempotent."""
        name = function.__name__
        self.provider.functions[name] = function
        self.provider.specs[name] = MethodSpec(name=f"test/{name}", idempotent=idempotent)

    def pass_time(self, seconds: float) -> None:
        """Have all clocks be so much later from now on."""
        now, uptime = self.clock.now, self.clock.uptime
        self.clock.now = lambda: now() + seconds  # type: ignore[method-assign]  # a clock that tests set
        self.clock.uptime = lambda: uptime() + seconds  # type: ignore[method-assign]


@pytest.fixture(params=["memory", "sqlite"])
async def world(anyio_backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A database of each kind, which nobody has opened yet."""
    if request.param == "sqlite":
        yield World(lambda: SqliteStore(tmp_path / "shared.db"))
        return
    async with AsyncExitStack() as stack:
        first = MemoryStore()
        await first.open(Owner("keeper"))
        stack.push_async_callback(first.close)
        yield World(lambda: MemoryStore(peer=first))
