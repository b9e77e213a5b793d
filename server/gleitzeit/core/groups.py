"""Errors and task groups: what is told is the error itself, and not the group that it came out of."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar, cast

Entered = TypeVar("Entered")


def only_error(error: BaseException) -> BaseException:
    """The one error that a group is made of, however deep; any other error, and a group of several, as it is."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    return only_error(group.exceptions[0]) if len(group.exceptions) == 1 else group


@asynccontextmanager
async def unwrapped(group: AbstractAsyncContextManager[Entered]) -> AsyncGenerator[Entered]:
    """Enter `group`, a task group or something built on one, such that an error of the body leaves it as it is.

    The group is left as after a body without an error: its tasks are not cancelled, but waited for.
    """
    failure: Exception | None = None
    try:
        async with group as entered:
            try:
                yield entered
            except Exception as error:  # noqa: BLE001 - raised below, outside of the group, which would wrap it
                failure = error
    except Exception:
        if failure is None:
            raise
        raise failure  # noqa: B904 - the group's own error stays its context
    if failure is not None:
        raise failure
