"""What a server says over HTTP to a client that it does not serve: the SDK tells only that it said something."""

from __future__ import annotations

from http import HTTPStatus

import httpx2

from gleitzeit.core.errors import ForbiddenError, GleitzeitError, LimitError

_WAY_IN = "give the token that this server has for you: token=..., or GLEITZEIT_TOKEN"
_SECONDS = 30.0
_SILENCE = 300.0


class Refusals:
    """Remembers the last answer by which the server refused a request for what its sender is."""

    def __init__(self) -> None:
        self._status = 0

    def client(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        """A client whose answers are looked at."""
        timeout = timeout or httpx2.Timeout(_SECONDS, read=_SILENCE)
        return httpx2.AsyncClient(headers=headers, timeout=timeout, auth=auth, event_hooks={"response": [self._look]})

    def error(self, name: str) -> GleitzeitError | None:
        """The refusal as an error, if there was one since the last time; `name` is the server's."""
        status, self._status = self._status, 0
        if status == HTTPStatus.UNAUTHORIZED:
            return ForbiddenError(f"{name} takes no request without a token that it knows", hint=_WAY_IN)
        if status == HTTPStatus.FORBIDDEN:
            return ForbiddenError(f"{name} does not allow this to the token that it was given", hint=_WAY_IN)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return LimitError(f"{name} was sent too many requests", hint="send fewer, or wait a moment", retryable=True)
        return None

    async def _look(self, response: httpx2.Response) -> None:
        if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
            self._status = response.status_code
