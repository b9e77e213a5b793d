from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest

from gleitzeit.application import Application
from gleitzeit.core.errors import ConfigurationError, StoreError
from gleitzeit.mcp_server.lazy_application import lazy_application

pytestmark = pytest.mark.anyio

Factory = Callable[[], AbstractAsyncContextManager[Application]]


async def test_nothing_is_opened_before_it_is_needed(factory: Factory) -> None:
    opened: list[str] = []

    def counted() -> AbstractAsyncContextManager[Application]:
        opened.append("opened")
        return factory()

    with anyio.fail_after(5):
        async with lazy_application(counted):
            await anyio.lowlevel.checkpoint()
        assert opened == []
        async with lazy_application(counted) as lazy:
            first, second = await lazy.opened(), await lazy.opened()
    assert first is second
    assert opened == ["opened"]


async def test_what_kept_it_from_opening_is_told_every_time(caplog: pytest.LogCaptureFixture) -> None:
    def wrong() -> AbstractAsyncContextManager[Application]:
        raise ConfigurationError("engine: no such key", hint="remove it")

    with anyio.fail_after(5):
        async with lazy_application(wrong) as lazy:
            for _ in range(2):
                with pytest.raises(ConfigurationError, match="no such key"):
                    await lazy.opened()
    assert "remove it" in caplog.text


async def test_a_cause_that_goes_away_is_tried_again_by_the_next_request(factory: Factory) -> None:
    failures: list[StoreError] = [StoreError("the database is locked"), StoreError("the disk is full")]

    def troubled() -> AbstractAsyncContextManager[Application]:
        if failures:
            raise failures.pop(0)
        return factory()

    with anyio.fail_after(5):
        async with lazy_application(troubled) as lazy:
            lazy.begin()
            with pytest.raises(StoreError, match="locked"):
                await lazy.opened()
            with pytest.raises(StoreError, match="full"):
                await lazy.opened()
            first, second = await lazy.opened(), await lazy.opened()
            assert first is second


async def test_one_that_never_opens_does_not_hold_up_the_end() -> None:
    def locked() -> AbstractAsyncContextManager[Application]:
        raise StoreError("the database is locked")

    with anyio.fail_after(1):
        async with lazy_application(locked) as lazy:
            with pytest.raises(StoreError):
                await lazy.opened()


async def test_a_defect_in_opening_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    def defect() -> AbstractAsyncContextManager[Application]:
        raise ZeroDivisionError("secret detail")

    with anyio.fail_after(5):
        async with lazy_application(defect) as lazy:
            with pytest.raises(ConfigurationError, match="could not start") as told:
                await lazy.opened()
    assert told.value.code == "internal"
    assert "secret" not in str(told.value)
    assert "secret detail" in caplog.text


async def test_an_application_that_does_not_close_is_cut_off() -> None:
    @asynccontextmanager
    async def stubborn() -> AsyncGenerator[Any]:
        try:
            yield object()
        finally:
            await anyio.sleep_forever()

    with anyio.fail_after(2):
        async with lazy_application(stubborn) as lazy:
            await lazy.opened()


async def test_an_error_inside_is_raised_as_it_is(factory: Factory) -> None:
    async def fail() -> None:
        async with lazy_application(factory) as lazy:
            await lazy.opened()
            raise LookupError("as it is")

    with pytest.raises(LookupError, match="as it is"):
        await fail()
