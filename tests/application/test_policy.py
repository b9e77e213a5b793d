"""What the policy forbids is not carried out, whatever way leads to it and by whatever name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio
import pytest

from gleitzeit.application import Application, open_application
from gleitzeit.config import load_configuration
from gleitzeit.core.errors import DocumentError, ForbiddenError
from gleitzeit.core.models import Run
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio


class Shop(ProtocolProvider):
    """`shop/buy` is also called `shop/fruit.buy`, and `shop/agent` calls whatever it is told to."""

    def __init__(self) -> None:
        super().__init__("shop", "shop/v1")
        self.bought: list[dict[str, Any]] = []

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        if method == "shop/agent":
            return await current_task().call(parameters["method"], parameters["parameters"])
        if method == "shop/look":
            return {"price": 1}
        self.bought.append(parameters)
        return {"bought": len(self.bought)}

    def get_supported_methods(self) -> list[str]:
        return ["shop/buy", "shop/fruit.buy", "shop/agent", "shop/look"]

    def names_of(self, method: str) -> Sequence[str]:
        return ("shop/buy", "shop/fruit.buy") if method.endswith("buy") else (method,)

    async def describe(self, method: str) -> MethodSpec | None:
        return MethodSpec(method, calls=("shop/*", "workflow/*") if method == "shop/agent" else ())


class Opened(Protocol):
    def __call__(self, **policy: list[str]) -> AbstractAsyncContextManager[Application]: ...


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def opened(shop: Shop, home: Path) -> Opened:
    """Opens an application with a policy; all of them share a database."""

    @asynccontextmanager
    async def open_one(**policy: list[str]) -> AsyncGenerator[Application]:
        registry = ProtocolProviderRegistry()
        registry.register_provider("shop/v1", shop)
        settings = {f"policy.{key}": globs for key, globs in policy.items()}
        config = load_configuration(None, {"GLEITZEIT_HOME": str(home)}, settings)
        async with open_application(config, registry=registry) as application:
            yield application

    return open_one


async def ended(application: Application, run: Run) -> Run:
    with anyio.fail_after(10):
        return await application.engine.wait(run.id)


BUY: dict[str, Any] = {"id": "buy", "method": "shop/buy", "parameters": {"n": 1}}
DENIED = [
    pytest.param({"deny": ["shop/buy"]}, id="denied by its name"),
    pytest.param({"deny": ["shop/fruit.*"]}, id="denied by its other name"),
    pytest.param({"deny": ["*buy"], "allow": ["*"]}, id="denied although allowed"),
    pytest.param({"allow": ["shop/agent", "shop/look", "workflow/*"]}, id="not allowed"),
]


def called(method: str, parameters: dict[str, Any] = BUY["parameters"]) -> dict[str, Any]:
    return {"id": "agent", "method": "shop/agent", "parameters": {"method": method, "parameters": parameters}}


def within(workflow: dict[str, Any]) -> dict[str, Any]:
    return {"id": "child", "method": "workflow/run", "parameters": {"workflow": workflow}}


@pytest.mark.parametrize("policy", DENIED)
@pytest.mark.parametrize("method", ["shop/buy", "shop/fruit.buy"])
async def test_no_way_leads_around_it(opened: Opened, shop: Shop, policy: dict[str, list[str]], method: str) -> None:
    task = {**BUY, "method": method}
    async with opened(**policy) as application:
        with pytest.raises(ForbiddenError):
            await application.call(method, {"n": 1})
        with pytest.raises(ForbiddenError):
            await application.describe(method)
        with pytest.raises(DocumentError):
            await application.submit({"tasks": [task]})
        assert method not in {spec.name for spec in await application.methods()}
        look = {"id": "look", "method": "shop/look"}
        first = await ended(application, await application.submit({"tasks": [look]}))
        with pytest.raises(DocumentError):
            await application.resume(first.id, workflow={"tasks": [look, task]})
        with pytest.raises(DocumentError):
            await application.resume(first.id, from_task="look", changes={"look": {"method": method}})
        nested = [
            called(method),
            within({"tasks": [task]}),
            within({"tasks": [called(method)]}),
            called("workflow/run", {"workflow": {"tasks": [task]}}),
        ]
        for one in nested:
            run = await ended(application, await application.submit(unseen(one), {"given": one["parameters"]}))
            assert run.status == "failed", one
            assert "policy." in str(run.tasks[one["id"]].error)
    assert shop.bought == []


def unseen(task: dict[str, Any]) -> dict[str, Any]:
    """A document with a task whose parameters nobody can look into before they are there."""
    return {
        "inputs": {"given": "object"},
        "tasks": [{**task, "parameters": {key: f"${{inputs.given.{key}}}" for key in task["parameters"]}}],
    }


async def test_what_is_allowed_by_one_name_is_allowed_by_the_other(opened: Opened, shop: Shop) -> None:
    async with opened(allow=["shop/fruit.buy"]) as application:
        for method in ("shop/buy", "shop/fruit.buy"):
            assert (await ended(application, await application.call(method, {"n": 2}))).status == "completed"
    assert len(shop.bought) == 2


async def test_a_result_that_is_kept_is_no_way_around_it(opened: Opened, shop: Shop) -> None:
    kept = {"tasks": [{**BUY, "cache": {"ttl": 600}}]}
    agent = called("shop/buy")
    async with opened() as application:
        for document in (kept, {"tasks": [agent]}):
            assert (await ended(application, await application.submit(document))).status == "completed"
        waiting = await application.record(await application.check(kept))
    async with opened(deny=["shop/buy"]) as application:  # what was accepted before the policy came is refused by it
        run = await ended(application, waiting)
        assert run.status == "failed"
        assert "policy.deny" in str(run.tasks["buy"].error)
    assert len(shop.bought) == 2


async def test_a_tool_of_a_server_is_denied_by_each_of_its_names(home: Path) -> None:
    server = {"name": "files", "tool_prefix": "fs_", "command": ["no-such-command"]}
    names = ["mcp/tool.fs_write", "mcp/tool.files.write"]
    for denied in names:
        config = load_configuration(
            None, {"GLEITZEIT_HOME": str(home)}, {"mcp.servers": [server], "policy.deny": [denied]}
        )
        async with open_application(config, registry=ProtocolProviderRegistry()) as application:
            for name in names:
                with pytest.raises(ForbiddenError, match=r"policy\.deny"):
                    await application.call(name, {})
