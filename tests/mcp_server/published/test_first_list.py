"""The first list of tools: whole, for some hosts never ask again, and at once where there is nothing to wait for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import pytest
import yaml
from mcp import Client
from tests.mcp_server.conftest import PROBE
from tests.mcp_server.published.listeners import Heard
from tests.mcp_server.published.test_saved_workflows_as_tools import DOUBLE, published
from tests.pipe import pipe

from gleitzeit.application import Application, open_application
from gleitzeit.cli.foresight import has_only_fixed_tools
from gleitzeit.config import load_configuration
from gleitzeit.core.errors import ConfigurationError, StoreError
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.lazy_application import lazy_application
from gleitzeit.mcp_server.manifest.tools import TOOLS
from gleitzeit.mcp_server.server import build_server
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio

Factory = Callable[[], AbstractAsyncContextManager[Application]]


@pytest.fixture
async def saved(home: Path) -> None:
    """Another process has saved a workflow."""
    registry = ProtocolProviderRegistry()
    PROBE.register(registry)
    config = load_configuration(environ={"GLEITZEIT_HOME": str(home), "GLEITZEIT_PROVIDERS__MODULES": "[]"})
    async with open_application(config, registry=registry, recover=False, warm=False) as application:
        await application.saved.save(await application.check(DOUBLE))


@pytest.mark.usefixtures("saved")
async def test_a_host_that_asks_but_once_sees_what_was_saved_before(environment: dict[str, str]) -> None:
    with anyio.fail_after(20):
        async with pipe(environment) as host:
            await host.initialize()
            listed = await host.request(1, "tools/list")
    assert [tool["name"] for tool in listed["result"]["tools"]] == [*TOOLS, "wf_double"]


class Held:
    """Opens an application as soon as it is let."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self.let = anyio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Application]:
        await self.let.wait()
        async with self._factory() as application:
            yield application


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize("bare", [True, False])
async def test_what_could_not_be_listed_at_once_is_told(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, bare: bool
) -> None:
    """Because there seemed to be nothing, or because it took too long."""
    monkeypatch.setattr("gleitzeit.mcp_server.published.serving.PATIENCE", 0.01)
    held, heard = Held(factory), Heard()
    with anyio.fail_after(10):
        async with (
            open_face(held.open, lambda: bare) as face,
            Client(build_server(face), mode="legacy", message_handler=heard, cache=None) as client,
        ):
            assert await published(client) == {}
            monkeypatch.undo()
            held.let.set()
            assert await heard.next() == "tools"
            assert list(await published(client)) == ["wf_double"]


async def test_where_nothing_can_be_opened_there_are_the_fixed_tools() -> None:
    def broken() -> AbstractAsyncContextManager[Application]:
        raise ConfigurationError("no")

    with anyio.fail_after(10):
        async with open_face(broken) as face, Client(build_server(face), cache=None) as client:
            assert await published(client) == {}
            assert await published(client) == {}


async def test_asking_again_and_again_for_what_cannot_be_opened_leaves_nothing_behind() -> None:
    def broken() -> AbstractAsyncContextManager[Application]:
        raise ConfigurationError("no")

    with anyio.fail_after(10):
        async with open_face(broken, lambda: True) as face:
            for _ in range(20):
                face.news.owe("me")
            await anyio.wait_all_tasks_blocked()
            assert face.changes.tasks.cancel_scope.cancel_called is False
            assert sum("_pay" in str(task.name) for task in anyio.get_running_tasks()) == 1


@pytest.mark.usefixtures("saved")
async def test_a_database_that_cannot_be_read_for_a_moment_ends_nothing(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def locked(*_: object) -> object:
        raise StoreError("the database is locked")

    monkeypatch.setattr("gleitzeit.mcp_server.published.listing.tools_beside", locked)
    monkeypatch.setattr("gleitzeit.mcp_server.published.news._Standing.of", locked)
    monkeypatch.setattr("gleitzeit.store.base.HEARTBEAT", 0.01)
    heard = Heard()
    with anyio.fail_after(10):
        async with (
            open_face(factory, lambda: True) as face,
            Client(build_server(face), mode="legacy", message_handler=heard, cache=None) as client,
        ):
            assert await published(client) == {}
            assert await heard.next() == "tools"
            await face.news.watching()
            monkeypatch.undo()
            assert await heard.next() == "tools"
            assert list(await published(client)) == ["wf_double"]


async def test_whoever_waits_for_an_application_gets_the_one_that_opens_at_last(factory: Factory) -> None:
    attempts: list[int] = []

    @asynccontextmanager
    async def late() -> AsyncGenerator[Application]:
        attempts.append(len(attempts))
        if len(attempts) < 3:
            raise StoreError("locked")
        async with factory() as application:
            yield application

    got: list[Application] = []
    opened: list[Application] = []
    with anyio.fail_after(10):
        async with lazy_application(late) as lazy, anyio.create_task_group() as tasks:

            async def wait() -> None:
                got.append(await lazy.once_open())

            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert attempts == []  # nobody has wanted it
            for _ in range(2):
                with pytest.raises(StoreError):
                    await lazy.opened()
            assert got == []
            opened.append(await lazy.opened())
    assert got == opened


@pytest.mark.parametrize(
    ("section", "certain"),
    [
        ({}, True),
        ({"workflows": {"directories": ["shared"]}}, False),
        ({"server": {"expose_tools": ["fs.*"]}}, False),
        ({"engine": {"database": "memory"}}, True),
        ({"engine": {"database": "none.db"}}, True),
        ({"no_such_section": {}}, True),
    ],
)
def test_what_can_be_known_of_a_configuration(tmp_path: Path, section: dict[str, object], certain: bool) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(section))
    assert has_only_fixed_tools(config) is certain


@pytest.mark.usefixtures("saved")
async def test_a_workflow_that_is_saved_is_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLEITZEIT_HOME", str(home))
    assert not has_only_fixed_tools(None)
