"""One request of the hub, with all that a server may want to know before it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.errors import ProviderError
from gleitzeit_mcp.session.errors import URL_ELICITATION_REQUIRED, RefusedError, RemoteError
from gleitzeit_mcp.session.exchange import Listener
from gleitzeit_mcp.session.session import Session

MOST_ROUNDS = 20
"""How often a server may ask for something more before it answers one request."""

_FINAL = ("complete", "task")


async def converse(
    session: Session, method: str, params: Mapping[str, Any], listener: Listener, timeout: float | None
) -> dict[str, Any]:
    """The result of a request, in its wire form; each round of it has `timeout` seconds.

    What a server of the modern era asks for is answered, and the request sent again with the answers, as it wants. One
    that refuses until a person has opened a page is asked again once that is done.
    Raises what `Session.request` does, and `ProviderError` where it asks for what it can't have, or without an end.
    """
    sent = dict(params)
    for _ in range(MOST_ROUNDS):
        try:
            result = await session.request(method, sent, listener=listener, timeout=timeout)
        except RemoteError as error:
            await _open_pages(error, listener)
            continue
        kind = result.get("resultType", "complete")
        if kind in _FINAL:
            return result
        if kind != "input_required":
            raise ProviderError(f"an answer of a kind that nobody here knows: {str(kind)[:60]}", retryable=False)
        answers = await answers_to(result.get("inputRequests"), listener)
        sent = {**params, **({"inputResponses": answers} if answers else {})}
        if "requestState" in result:
            sent["requestState"] = result["requestState"]
    raise ProviderError(f"it asked for more {MOST_ROUNDS} times, and did not answer", retryable=False)


async def answers_to(requests: Any, listener: Listener) -> dict[str, Any]:
    """The answers to what a server asks for, by the keys it gave them."""
    answers: dict[str, Any] = {}
    for key, request in (requests if is_object(requests) else {}).items():
        if not is_object(request) or not isinstance(request.get("method"), str) or listener.answer is None:
            raise ProviderError(f"it asks for something that can't be given: {str(request)[:200]}", retryable=False)
        try:
            answers[key] = await listener.answer(request)
        except RefusedError as refusal:
            raise ProviderError(refusal.message, retryable=False) from refusal
    return answers


async def _open_pages(error: RemoteError, listener: Listener) -> None:
    """Have a person open the pages that a refusal names; raise the refusal where it names none, or that is not done."""
    pages = _pages_of(error)
    if not pages or listener.answer is None:
        raise error
    for page in pages:
        try:
            answer = await listener.answer({"method": "elicitation/create", "params": {**page, "mode": "url"}})
        except RefusedError as refusal:
            raise ProviderError(f"{error.message} ({page['url']})", hint=refusal.message, retryable=False) from error
        if answer.get("action") != "accept":
            raise error


def _pages_of(error: RemoteError) -> Sequence[Mapping[str, Any]]:
    named: Any = error.data.get("elicitations") if is_object(error.data) else None
    if error.code != URL_ELICITATION_REQUIRED or not is_list(named):
        return ()
    return [page for page in named if is_object(page) and isinstance(page.get("url"), str)]
