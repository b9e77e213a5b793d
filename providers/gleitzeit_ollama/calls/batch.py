"""Several calls as one: each item's failure is its own, unless all of them fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from gleitzeit.core.errors import ERRORS, CancelledError, GleitzeitError
from gleitzeit.providers.base import current_task
from gleitzeit_ollama.calls.spreading import ItemProgress, spread

Item = TypeVar("Item")


async def each(
    items: Sequence[Item], one: Callable[[int, Item], Awaitable[dict[str, Any]]], width: int | Callable[[], int]
) -> dict[str, Any]:
    """`results`: what `one` returns for each item and its place, in order, `{error}` in the place of one that failed.

    At most `width` are carried out at once, or as many as it says at that moment. Raises what happened where all of
    them failed.
    """
    results: list[dict[str, Any]] = [{} for _ in items]
    failures: list[GleitzeitError] = []
    progress = ItemProgress(current_task().report_progress, len(items))

    async def carry_out(place: tuple[int, Item]) -> None:
        index, item = place
        try:
            results[index] = await one(index, item)
        except CancelledError:
            raise
        except GleitzeitError as error:
            failures.append(error)
            results[index] = {"error": failure_data(error)}
        await progress.add()

    await spread(enumerate(items), carry_out, width if callable(width) else lambda: width)
    if failures:
        current_task().record(failed_items=len(failures))
        current_task().keep_out_of_cache("items of it failed")
        if len(failures) == len(items):
            raise all_failed(failures)
    return {"results": results}


def failure_data(error: GleitzeitError) -> dict[str, Any]:
    """An item's failure, as it stands in the result of the others."""
    return {"code": error.code, "message": error.message, "hint": error.hint, "retryable": error.retryable}


def all_failed(failures: Sequence[GleitzeitError]) -> GleitzeitError:
    """The one error for a batch in which nothing came out well; it is worth a retry where an item is."""
    first = failures[0]
    if len(failures) == 1:
        return first
    same = all(error.message == first.message for error in failures)
    words = f"all {len(failures)} items failed{'' if same else ', the first'}: {first.message}"
    kind = ERRORS.get(first.code, GleitzeitError)
    return kind(
        words,
        hint=first.hint,
        code=first.code,
        retryable=any(error.retryable for error in failures),
        ambiguous=any(error.ambiguous for error in failures),
        details=first.details,
    )
