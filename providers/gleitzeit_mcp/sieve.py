"""A server's list of tools without those that are malformed, for one of them would make the SDK refuse them all."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import pydantic
from mcp.client._transport import ReadStream, Transport, TransportStreams
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse
from mcp_types.methods import parse_server_result

from gleitzeit.core.data import is_list, is_mapping

Incoming = SessionMessage | Exception


class Sieve:
    """Lets everything pass until it is given the protocol's version; `dropped` says why, for each malformed tool."""

    def __init__(self) -> None:
        self.version: str | None = None
        self.dropped: dict[str, str] = {}

    @asynccontextmanager
    async def before(self, transport: Transport) -> AsyncGenerator[TransportStreams]:
        """The same transport, with the sieve between it and whoever reads from it."""
        async with transport as (incoming, outgoing):
            yield _Sifted(incoming, self), outgoing

    def sift(self, message: Incoming) -> Incoming:
        """The message, without malformed tools if it is a list of tools."""
        if self.version is None or not isinstance(message, SessionMessage):
            return message
        answer = message.message
        if not isinstance(answer, JSONRPCResponse) or not is_list(answer.result.get("tools")):
            return message
        tools = [tool for tool in answer.result["tools"] if self._passes(answer.result, tool, self.version)]
        sifted = answer.model_copy(update={"result": {**answer.result, "tools": tools}})
        return SessionMessage(sifted, metadata=message.metadata)

    def _passes(self, page: dict[str, Any], tool: Any, version: str) -> bool:
        try:
            parse_server_result("tools/list", version, {**page, "tools": [tool]})
        except pydantic.ValidationError as error:
            name = tool.get("name") if is_mapping(tool) else None
            self.dropped[str(name or "(without a name)")] = problem_of(error)
            return False
        return True


def problem_of(error: pydantic.ValidationError) -> str:
    """The first thing that is wrong, with its place inside of the tool."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("tools", 0))
    return f"{place}: {first['msg']}"


class _Sifted:
    """A stream of messages that pass through a sieve."""

    def __init__(self, incoming: ReadStream[Incoming], sieve: Sieve) -> None:
        self._incoming = incoming
        self._sieve = sieve

    @property
    def last_context(self) -> Any:
        """The context of the sender, which the SDK asks for."""
        return getattr(self._incoming, "last_context", None)

    async def receive(self) -> Incoming:
        return self._sieve.sift(await self._incoming.receive())

    async def aclose(self) -> None:
        await self._incoming.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Incoming:
        return self._sieve.sift(await self._incoming.__anext__())

    async def __aenter__(self) -> Self:
        await self._incoming.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        return await self._incoming.__aexit__(exc_type, exc_val, exc_tb)
