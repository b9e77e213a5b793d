"""Which era of the protocol a server speaks, and what that changes about each request.

Up to 2025-11-25 a connection begins with `initialize`. From 2026-07-28 on each request says for itself who sends it and
what that client can do, and `server/discover` tells what the server can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from gleitzeit.core import errors
from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.errors import ConnectionLostError, ForbiddenError, ProviderError, ProviderUnavailableError
from gleitzeit.version import __version__
from gleitzeit_mcp.session.errors import UNSUPPORTED_PROTOCOL_VERSION, RemoteError
from gleitzeit_mcp.session.session import Session
from gleitzeit_mcp.versions import HANDSHAKE, HANDSHAKE_VERSIONS, MODERN, PREFIX, is_modern

DISCOVER_LIMIT = 5.0
"""Seconds for the first answer of a server that may not know the question, and some of those just keep silent."""

Mode = Literal["auto", "legacy"]

_CLIENT = {"name": "gleitzeit", "version": __version__}


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was settled when the connection was opened."""

    version: str
    capabilities: Mapping[str, Any] = field(default_factory=dict[str, Any])
    server: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def modern(self) -> bool:
        """Whether each request stands for itself."""
        return is_modern(self.version)

    def offers(self, capability: str) -> bool:
        """Whether the server says that it has such a feature: tools, resources, prompts."""
        return capability in self.capabilities


class ProbeLostError(Exception):
    """The connection broke while the server was asked for its era, as some do that only know `initialize`."""


async def agree(session: Session, mode: Mode, capabilities: Mapping[str, Any]) -> Agreement:
    """Settle on a version; `capabilities` are those of this client.

    Raises `ProbeLostError` where the server did not survive the question, `RemoteError` with what it answered, and
    `ProviderError` where no version is common to both.
    """
    if mode == "legacy":
        return await _shake_hands(session, capabilities)
    discovered = await _discover(session, capabilities)
    if discovered is not None:
        return discovered
    try:
        return await _shake_hands(session, capabilities)
    except RemoteError as error:
        # A slow starter may have taken the question for the beginning of the modern era although we gave it up.
        if error.code != UNSUPPORTED_PROTOCOL_VERSION:
            raise
        again = await _discover(session, capabilities)
        if again is None:
            raise
        return again


def stamped(params: dict[str, Any], capabilities: Mapping[str, Any], version: str = MODERN) -> dict[str, Any]:
    """The parameters of a request of the modern era."""
    envelope = {
        PREFIX + "protocolVersion": version,
        PREFIX + "clientInfo": _CLIENT,
        PREFIX + "clientCapabilities": capabilities,
        PREFIX + "logLevel": "info",
    }
    return {**params, "_meta": {**params.get("_meta", {}), **envelope}}


async def _discover(session: Session, capabilities: Mapping[str, Any]) -> Agreement | None:
    """The server's own word that it is modern; nothing where it is not, or does not say so in time."""
    session.stamp = lambda _method, params: stamped(params, capabilities)
    try:
        found = await session.request("server/discover", {}, timeout=DISCOVER_LIMIT, cancellable=False)
    except ConnectionLostError:
        raise ProbeLostError("the connection broke at the first question") from None
    except (ProviderUnavailableError, ForbiddenError):
        raise
    except RemoteError as error:
        _check_versions(error)
        found = {}
    except (errors.TimeoutError, ProviderError):
        found = {}
    versions: Any = found.get("supportedVersions")
    if not is_list(versions) or MODERN not in versions:
        session.stamp = None
        return None
    meta = found.get("_meta")
    server = meta.get(PREFIX + "serverInfo") if is_object(meta) else None
    return Agreement(MODERN, _object(found.get("capabilities")), _object(server))


def _check_versions(error: RemoteError) -> None:
    """Raise where the server names the versions it knows, and none of them is known here."""
    supported: Any = error.data.get("supported") if is_object(error.data) else None
    if error.code == UNSUPPORTED_PROTOCOL_VERSION and is_list(supported):
        _require_common([str(version) for version in supported])


def _require_common(versions: Sequence[str]) -> None:
    known = (*HANDSHAKE_VERSIONS, MODERN)
    if not set(versions) & set(known):
        raise ProviderError(
            f"it speaks MCP {', '.join(versions) or '(no version named)'}, and this client {', '.join(known)}",
            hint="use a version of the server that speaks one of them",
            retryable=False,
        )


async def _shake_hands(session: Session, capabilities: Mapping[str, Any]) -> Agreement:
    session.stamp = None
    params = {"protocolVersion": HANDSHAKE, "capabilities": capabilities, "clientInfo": _CLIENT}
    result = await session.request("initialize", params, cancellable=False)
    version = str(result.get("protocolVersion"))
    _require_common([version])
    await session.notify("notifications/initialized")
    return Agreement(version, _object(result.get("capabilities")), _object(result.get("serverInfo")))


def _object(value: Any) -> dict[str, Any]:
    return value if is_object(value) else {}


async def is_alive(session: Session, agreement: Agreement, limit: float) -> bool:
    """Whether the server says anything within `limit` seconds; an error is an answer too."""
    if session.is_over():
        return False
    before = anyio.current_time()
    try:
        await session.request("server/discover" if agreement.modern else "ping", {}, timeout=limit, cancellable=False)
    except RemoteError:
        return True
    except errors.TimeoutError:
        return session.heard > before
    except ProviderError:
        return False
    return True
