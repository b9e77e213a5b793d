"""Asking again by itself, as long as nothing of an answer has come."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import anyio

from gleitzeit.core.errors import ConnectionLostError, ProviderError, ProviderUnavailableError
from gleitzeit_ollama.stream import Stream
from gleitzeit_ollama.wire import Patience, Wire

_BUSY = 503
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 3.0


def pause(error: ProviderError, failures: int, max_retries: int) -> float | None:
    """Seconds until a request that failed `failures` times is sent again; nothing where it should not be."""
    passing = isinstance(error, ProviderUnavailableError | ConnectionLostError) or error.details.get("status") == _BUSY
    if not passing or failures > max_retries or error.details.get("again") is False:
        return None
    return min(_FIRST_PAUSE * 2.0 ** (failures - 1), _LONGEST_PAUSE)


@asynccontextmanager
async def opened(
    wire: Wire, path: str, payload: Mapping[str, Any], patience: Patience, max_retries: int
) -> AsyncGenerator[Stream]:
    """Open an answer as `Wire.stream` does, asking up to `max_retries` times more where that may help."""
    async with AsyncExitStack() as stack:
        yield await _entered(stack, lambda: wire.stream(path, payload, patience), max_retries)


async def _entered(
    stack: AsyncExitStack, attempt: Callable[[], AbstractAsyncContextManager[Stream]], max_retries: int
) -> Stream:
    failures = 0
    while True:
        try:
            return await stack.enter_async_context(attempt())
        except ProviderError as error:
            failures += 1
            seconds = pause(error, failures, max_retries)
            if seconds is None:
                raise
        # Spread out, or many tasks that failed together would come back together.
        await anyio.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311  # nobody gains by guessing it
