"""`Transport`: the contract of a way to a server, which carries JSON-RPC messages as plain data.

A transport knows nothing of MCP but how its messages travel. What arrives is pushed into a `Receiver`, without a queue
in between: its methods return at once, so a transport may call them from wherever it reads.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Protocol

from gleitzeit.core.errors import GleitzeitError

Message = Mapping[str, Any]
"""A JSON-RPC request, notification, answer or error in its wire form."""

RequestId = int | str


class Receiver(Protocol):
    """Whoever takes in what a server says; none of its methods waits or raises."""

    def received(self, message: dict[str, Any]) -> None:
        """Take in one message; anything but a JSON object never gets here."""
        ...

    def failed(self, request_id: RequestId, error: GleitzeitError) -> None:
        """A request that was sent will get no answer, for this reason; the connection goes on."""
        ...

    def ended(self) -> None:
        """Nothing more comes, and nothing can be sent; `diagnosis` knows why. It may be said more than once."""
        ...


class Wire(Protocol):
    """One open connection."""

    def send(self, message: Message, headers: Mapping[str, str] | None = None) -> Awaitable[None] | None:
        """Send one message, and give what has to be awaited before it is sent; `headers` go with it over HTTP.

        Raises `ConnectionLostError`, here or where that is awaited, if the other end is gone or the connection closed.
        """
        ...


class Transport(abc.ABC):
    """A way to one server, used for one connection.

    `sends_headers` where its messages are HTTP requests; `junk` counts what came and was no message.
    """

    sends_headers: ClassVar[bool] = False
    junk: int = 0

    @abc.abstractmethod
    def connect(self, receiver: Receiver) -> AbstractAsyncContextManager[Wire]:
        """Open the connection; leaving the context closes it, and ends whatever was started for it.

        However it ends, `receiver` is told so.

        Raises `ProviderUnavailableError` or `ConfigurationError`, with a hint, where it cannot be opened.
        """

    @property
    def pid(self) -> int | None:
        """The process that was started for it, if one was."""
        return None

    @property
    def last_words(self) -> Sequence[str]:
        """The last lines that such a process wrote to its stderr."""
        return ()

    def diagnosis(self) -> str:
        """What the other end left behind when the connection failed; empty where nothing is known."""
        return ""
