"""A provider is initialised once and shut down once, whatever happens around it."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from gleitzeit.core.errors import ConflictError, ProviderError, ProviderUnavailableError, ValidationError
from gleitzeit.providers.base import ProtocolProvider, Readiness, TaskContext, current_task, enter_task
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio

NOTHING: dict[str, Any] = {}


class Shop(ProtocolProvider):
    """Counts what is done to it, and can be held up or made to fail."""

    def __init__(self, provider_id: str = "shop", protocol_id: str = "shop/v1") -> None:
        super().__init__(provider_id, protocol_id)
        self.told: list[str] = []
        self.gate: anyio.Event | None = None
        self.entered = anyio.Event()
        self.failures: list[Exception] = []

    async def initialize(self) -> None:
        self.told.append("initialize")
        await anyio.lowlevel.checkpoint()
        if self.failures:
            raise self.failures.pop(0)

    async def shutdown(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.told.append("shutdown")

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        self.told.append(method)
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        return {"by": self.provider_id, **parameters}


class Served(Shop):
    """Has something that runs as long as it does."""

    def __init__(self, provider_id: str = "shop", protocol_id: str = "shop/v1") -> None:
        super().__init__(provider_id, protocol_id)
        self.crash = anyio.Event()

    async def serve(self, *, task_status: Readiness) -> None:
        self.told.append("serve")
        task_status.started()
        try:
            await self.crash.wait()
            raise RuntimeError("the line is dead")
        finally:
            self.told.append("served")


async def test_concurrent_first_calls_initialise_once(registry: ProtocolProviderRegistry) -> None:
    provider = Shop()
    registry.register_provider("shop/v1", provider)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(registry.execute, "shop/buy", {"item": str(number)})
    assert provider.told.count("initialize") == 1
    assert provider.told.count("shop/buy") == 20
    assert provider.told[-1] == "shutdown"
    assert provider.told.count("shutdown") == 1


async def test_a_provider_that_nobody_needs_is_left_alone(registry: ProtocolProviderRegistry) -> None:
    provider = Shop()
    registry.register_provider("shop/v1", provider)
    async with registry.running():
        pass
    assert provider.told == []


async def test_a_failed_initialise_names_its_cause_and_is_tried_again(registry: ProtocolProviderRegistry) -> None:
    provider = Shop()
    provider.failures = [OSError("no route")]
    registry.register_provider("shop/v1", provider)
    with anyio.fail_after(5):
        async with registry.running():
            with pytest.raises(
                ProviderUnavailableError, match='"shop" failed to initialise: OSError: no route'
            ) as caught:
                await registry.execute("shop/buy", {"item": "tea"})
            assert caught.value.retryable
            assert isinstance(caught.value.__cause__, OSError)
            assert registry.overview()[0].state == "failed"
            assert await registry.execute("shop/buy", {"item": "tea"}) == {"by": "shop", "item": "tea"}
            assert registry.overview()[0].state == "ready"
    assert provider.told == ["initialize", "initialize", "shop/buy", "shutdown"]


async def test_a_caller_that_gives_up_does_not_take_the_initialisation_along(
    registry: ProtocolProviderRegistry,
) -> None:
    begun, go_on = anyio.Event(), anyio.Event()

    class Slow(Shop):
        async def initialize(self) -> None:
            begun.set()
            await go_on.wait()
            await super().initialize()

    provider = Slow()
    registry.register_provider("shop/v1", provider)
    with anyio.fail_after(5):
        async with registry.running():
            async with anyio.create_task_group() as group:
                group.start_soon(registry.execute, "shop/buy", NOTHING)
                await begun.wait()
                group.cancel_scope.cancel()
            go_on.set()
            await registry.execute("shop/buy", {})
    assert provider.told == ["initialize", "shop/buy", "shutdown"]


async def test_a_provider_belongs_to_no_task(registry: ProtocolProviderRegistry) -> None:
    seen: list[str] = []

    class Curious(Shop):
        async def initialize(self) -> None:
            seen.append(current_task().run_id)

        async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
            seen.append(current_task().run_id)
            return {}

    registry.register_provider("shop/v1", Curious())
    leave = enter_task(TaskContext(run_id="r1"))
    async with registry.running():
        await registry.execute("shop/buy", {})
    leave()
    assert seen == ["", "r1"]


async def test_a_replaced_provider_is_shut_down_before_the_new_one_starts(registry: ProtocolProviderRegistry) -> None:
    order: list[str] = []

    class Logged(Shop):
        def __init__(self, mark: str) -> None:
            super().__init__()
            self.mark = mark

        async def initialize(self) -> None:
            order.append(f"{self.mark} initialize")

        async def shutdown(self) -> None:
            await anyio.lowlevel.checkpoint()
            order.append(f"{self.mark} shutdown")

    with anyio.fail_after(5):
        async with registry.running():
            for mark in ("old", "new"):
                registry.register_provider("shop/v1", Logged(mark))
                await registry.execute("shop/buy", {})
    assert order == ["old initialize", "old shutdown", "new initialize", "new shutdown"]


async def test_a_replaced_provider_finishes_its_calls(registry: ProtocolProviderRegistry) -> None:
    old = Shop()
    old.gate = anyio.Event()
    answers: list[object] = []

    async def buy() -> None:
        answers.append(await registry.execute("shop/buy", {"item": "tea"}))

    registry.register_provider("shop/v1", old)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            group.start_soon(buy)
            await old.entered.wait()
            registry.register_provider("shop/v1", Shop())
            assert "shutdown" not in old.told
            old.gate.set()
    assert answers == [{"by": "shop", "item": "tea"}]
    assert old.told == ["initialize", "shop/buy", "shutdown"]


async def test_a_registry_runs_again(registry: ProtocolProviderRegistry) -> None:
    provider = Shop()
    registry.register_provider("shop/v1", provider)
    for _ in range(2):
        async with registry.running():
            await registry.execute("shop/buy", {})
    assert provider.told == ["initialize", "shop/buy", "shutdown"] * 2


def test_a_registry_runs_again_in_another_event_loop(registry: ProtocolProviderRegistry) -> None:
    provider = Shop()
    registry.register_provider("shop/v1", provider)

    async def use() -> None:
        async with registry.running():
            await registry.execute("shop/buy", {})

    for _ in range(2):
        anyio.run(use)
    assert provider.told == ["initialize", "shop/buy", "shutdown"] * 2


async def test_nested_uses_share_providers_and_may_end_in_any_order(registry: ProtocolProviderRegistry) -> None:
    provider = Shop()
    registry.register_provider("shop/v1", provider)
    with anyio.fail_after(5):
        first, second = registry.running(), registry.running()
        async with anyio.create_task_group() as group:
            first_in, first_out, second_in = anyio.Event(), anyio.Event(), anyio.Event()

            async def one() -> None:
                async with first:
                    await registry.execute("shop/buy", {})
                    first_in.set()
                    await second_in.wait()
                first_out.set()

            async def two() -> None:
                await first_in.wait()
                async with second:
                    await registry.execute("shop/buy", {})
                    assert provider.told.count("initialize") == 1
                    second_in.set()
                    await first_out.wait()
                    await registry.execute("shop/buy", {})

            group.start_soon(one)
            group.start_soon(two)
    assert provider.told == ["initialize", "shop/buy", "shop/buy", "shutdown", "initialize", "shop/buy", "shutdown"]


async def test_an_exception_in_the_body_comes_out_as_it_is(registry: ProtocolProviderRegistry) -> None:
    provider = Shop()
    registry.register_provider("shop/v1", provider)

    async def break_down() -> None:
        async with registry.running():
            await registry.execute("shop/buy", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await break_down()
    assert provider.told[-1] == "shutdown"


async def test_a_cancelled_body_still_shuts_down(registry: ProtocolProviderRegistry) -> None:
    provider = Shop()
    registry.register_provider("shop/v1", provider)
    with anyio.CancelScope() as scope:
        async with registry.running():
            await registry.execute("shop/buy", {})
            scope.cancel()
            await anyio.sleep_forever()
    assert provider.told[-1] == "shutdown"


async def test_what_a_shutdown_raises_stops_nobody(
    registry: ProtocolProviderRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(Shop):
        async def shutdown(self) -> None:
            raise RuntimeError("stuck")

    other = Shop("other")
    registry.register_provider("shop/v1", Stuck())
    registry.register_method_handler("shop/other", other)
    async with registry.running():
        await registry.execute("shop/buy", {})
        await registry.execute("shop/other", {})
    assert "shop failed to shut down" in caplog.text
    assert other.told[-1] == "shutdown"


async def test_a_registry_that_is_not_running_says_so(registry: ProtocolProviderRegistry) -> None:
    registry.register_provider("shop/v1", Shop())
    with pytest.raises(ConflictError, match="not running"):
        await registry.execute("shop/buy", {})


async def test_what_serves_ends_before_the_shutdown(registry: ProtocolProviderRegistry) -> None:
    provider = Served()
    registry.register_provider("shop/v1", provider)
    with anyio.fail_after(5):
        async with registry.running():
            await registry.execute("shop/buy", {})
    assert provider.told == ["initialize", "serve", "shop/buy", "served", "shutdown"]


async def test_warming_starts_those_that_serve_and_does_not_wait(registry: ProtocolProviderRegistry) -> None:
    plain, hub = Shop("plain"), Served("hub")
    registry.register_provider("shop/v1", plain)
    registry.register_provider("hub/v1", hub)
    with anyio.fail_after(5):
        async with registry.running():
            await registry.warm()
            assert hub.told == []
            await anyio.wait_all_tasks_blocked()
            assert hub.told == ["initialize", "serve"]
    assert plain.told == []
    assert hub.told == ["initialize", "serve", "served", "shutdown"]


async def test_what_crashes_while_serving_is_started_again(registry: ProtocolProviderRegistry) -> None:
    provider = Served()
    registry.register_provider("shop/v1", provider)
    with anyio.fail_after(5):
        async with registry.running():
            await registry.execute("shop/buy", {})
            provider.crash.set()
            await anyio.wait_all_tasks_blocked()
            assert registry.overview()[0].state == "failed"
            assert "the line is dead" in (registry.overview()[0].error or "")
            provider.crash = anyio.Event()
            await registry.execute("shop/buy", {})
    assert provider.told.count("initialize") == provider.told.count("shutdown") == 2


async def test_parameters_are_checked_once_against_the_protocol(registry: ProtocolProviderRegistry) -> None:
    provider = Shop()
    registry.register_provider("shop/v1", provider)
    async with registry.running():
        with pytest.raises(ValidationError, match="item"):
            await registry.execute("shop/buy", {"item": 3})
    assert "shop/buy" not in provider.told


async def test_a_check_of_the_provider_s_own_comes_before_each_request(registry: ProtocolProviderRegistry) -> None:
    class Own(Shop):
        async def validate_request(self, method: str, parameters: dict[str, Any]) -> None:
            self.told.append("check")
            if parameters["item"] == "gold":
                raise ValidationError("gold is not sold")

    provider = Own()
    registry.register_provider("shop/v1", provider)
    async with registry.running():
        assert await registry.execute("shop/buy", {"item": 3}) == {"by": "shop", "item": 3}
        with pytest.raises(ValidationError, match="gold is not sold"):
            await registry.execute("shop/buy", {"item": "gold"})
    assert provider.told == ["initialize", "check", "shop/buy", "check", "shutdown"]


async def test_what_a_provider_raises_comes_out_as_it_is(registry: ProtocolProviderRegistry) -> None:
    class Failing(Shop):
        async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
            raise ProviderError("sold out")

    registry.register_provider("shop/v1", Failing())
    async with registry.running():
        with pytest.raises(ProviderError, match="sold out"):
            await registry.execute("shop/buy", {})
