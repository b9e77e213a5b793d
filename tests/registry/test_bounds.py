"""How much one provider gets at once."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit.providers.base import ProtocolProvider, TaskContext, enter_task
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio

NOTHING: dict[str, Any] = {}


class Counter(ProtocolProvider):
    """Holds its calls up, and remembers how many it had at once and in which order they came."""

    def __init__(self, provider_id: str = "counter") -> None:
        super().__init__(provider_id, "shop/v1")
        self.now = self.most = 0
        self.came: list[Any] = []
        self.gate = anyio.Event()

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        self.came.append(parameters.get("item"))
        try:
            await self.gate.wait()
        finally:
            self.now -= 1
        return parameters


@pytest.fixture
def counter(registry: ProtocolProviderRegistry) -> Counter:
    provider = Counter()
    registry.register_provider("shop/v1", provider)
    return provider


async def test_no_more_requests_than_the_bound_are_in_flight_and_all_get_their_turn_in_order(
    registry: ProtocolProviderRegistry, counter: Counter
) -> None:
    registry.bound(2, 10)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            for number in range(7):
                group.start_soon(registry.execute, "shop/buy", {"item": str(number)})
                await anyio.wait_all_tasks_blocked()
            assert counter.now == 2
            counter.gate.set()
    assert counter.most == 2
    assert counter.came == [str(number) for number in range(7)]


async def test_over_the_queue_is_a_retryable_error_with_the_numbers(
    registry: ProtocolProviderRegistry, counter: Counter
) -> None:
    registry.bound(1, 1)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            group.start_soon(registry.execute, "shop/buy", NOTHING)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(registry.execute, "shop/buy", NOTHING)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(
                ProviderUnavailableError, match='"counter" has 1 requests in flight, and 1 more'
            ) as caught:
                await registry.execute("shop/buy", NOTHING)
            assert caught.value.retryable
            assert not caught.value.ambiguous
            counter.gate.set()
    assert len(counter.came) == 2


async def test_a_full_provider_is_not_taken_for_a_sick_one(
    registry: ProtocolProviderRegistry, counter: Counter
) -> None:
    registry.bound(1, 0)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            group.start_soon(registry.execute, "shop/buy", NOTHING)
            await anyio.wait_all_tasks_blocked()
            for _ in range(5):
                with pytest.raises(ProviderUnavailableError):
                    await registry.execute("shop/buy", NOTHING)
            assert [state.state for state in registry.overview()] == ["ready"]
            counter.gate.set()


async def test_who_gives_up_waiting_takes_no_place_with_him(
    registry: ProtocolProviderRegistry, counter: Counter
) -> None:
    registry.bound(1, 1)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            group.start_soon(registry.execute, "shop/buy", NOTHING)
            await anyio.wait_all_tasks_blocked()
            for _ in range(3):
                with anyio.move_on_after(0):
                    await registry.execute("shop/buy", NOTHING)
            group.start_soon(registry.execute, "shop/buy", {"item": "next"})
            await anyio.wait_all_tasks_blocked()
            counter.gate.set()
    assert counter.came == [None, "next"]


async def test_a_place_that_was_handed_to_somebody_who_is_gone_goes_to_the_next(
    registry: ProtocolProviderRegistry, counter: Counter
) -> None:
    registry.bound(1, 2)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            group.start_soon(registry.execute, "shop/buy", NOTHING)
            await anyio.wait_all_tasks_blocked()
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(registry.execute, "shop/buy", {"item": "gone"})
                await anyio.wait_all_tasks_blocked()
                group.start_soon(registry.execute, "shop/buy", {"item": "next"})
                await anyio.wait_all_tasks_blocked()
                counter.gate.set()
                leaving.cancel_scope.cancel()
    assert counter.came[-1] == "next"


async def test_a_call_within_a_task_does_not_wait_for_the_place_that_its_task_holds(
    registry: ProtocolProviderRegistry, counter: Counter
) -> None:
    registry.bound(1, 0)
    counter.gate.set()
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            counter.gate = anyio.Event()
            group.start_soon(registry.execute, "shop/buy", NOTHING)
            await anyio.wait_all_tasks_blocked()
            leave = enter_task(TaskContext(task_id="outer/1"))
            try:
                group.start_soon(registry.execute, "shop/buy", {"item": "nested"})
            finally:
                leave()
            await anyio.wait_all_tasks_blocked()
            assert counter.came == [None, "nested"]
            counter.gate.set()


async def test_providers_that_wait_for_other_tasks_are_left_out(
    registry: ProtocolProviderRegistry, counter: Counter
) -> None:
    registry.bound(1, 0, unbounded=["counter"])
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(registry.execute, "shop/buy", NOTHING)
            await anyio.wait_all_tasks_blocked()
            assert counter.now == 3
            counter.gate.set()


async def test_the_bound_holds_for_each_provider_and_for_those_that_come_later(
    registry: ProtocolProviderRegistry, counter: Counter
) -> None:
    registry.bound(1, 0)
    later = Counter("later")
    registry.register_provider("shop/v1", later)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(registry.execute, "shop/buy", NOTHING)
                await anyio.wait_all_tasks_blocked()
            assert (counter.now, later.now) == (1, 1)
            with pytest.raises(ProviderUnavailableError):
                await registry.execute("shop/buy", NOTHING)
            counter.gate.set()
            later.gate.set()


async def test_a_provider_that_is_closed_refuses_those_who_wait_for_it(
    registry: ProtocolProviderRegistry, counter: Counter
) -> None:
    registry.bound(1, 1)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            group.start_soon(registry.execute, "shop/buy", NOTHING)
            await anyio.wait_all_tasks_blocked()

            async def wait() -> None:
                with pytest.raises(ProviderUnavailableError, match="is shutting down"):
                    await registry.execute("shop/buy", {"item": "late"})

            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            registry.unregister_provider("counter")
            counter.gate.set()
    assert counter.came == [None]
