"""What the SDK and the system raise, as errors of Gleitzeit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

import pydantic
from mcp import MCPError
from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, METHOD_NOT_FOUND, PARSE_ERROR, REQUEST_TIMEOUT

from gleitzeit.core import errors
from gleitzeit.core.errors import (
    ConnectionLostError,
    GleitzeitError,
    ProviderError,
    ProviderUnavailableError,
    UnsupportedError,
    ValidationError,
)

_SHOWN_TOOLS = 5
_QUERY = re.compile(r"(https?://[^\s'\"?]+)\?[^\s'\"]*")


def cause_of(error: BaseException) -> BaseException:
    """The first error inside of what task groups wrapped around it."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return cause_of(group.exceptions[0])
    return error


def is_closed(error: Exception) -> bool:
    """Whether the connection was gone."""
    return isinstance(error, MCPError) and error.code == CONNECTION_CLOSED


def call_failure(server: str, tool: str, error: Exception) -> GleitzeitError:
    """Why a call that was sent did not bring a result."""
    subject = f'server "{server}", tool "{tool}"'
    if isinstance(error, GleitzeitError):
        return error
    if is_closed(error):
        return ConnectionLostError(f"{subject}: the connection broke during the call")
    if isinstance(error, MCPError):
        return _refusal(subject, error)
    if isinstance(error, pydantic.ValidationError):
        return ProviderError(f"{subject}: the answer is not of the form that MCP asks for", retryable=False)
    return ProviderError(f"{subject}: {_words(error)}", retryable=False)


def _refusal(subject: str, error: MCPError) -> GleitzeitError:
    if error.code == REQUEST_TIMEOUT:
        return errors.TimeoutError(f"{subject}: no answer in time ({error.message})")
    if error.code == INVALID_PARAMS:
        return ValidationError(f"{subject}: {error.message}")
    if error.code == METHOD_NOT_FOUND:
        return UnsupportedError(f"{subject}: {error.message}")
    # What cannot be read was carried out, or will not be read the next time either.
    retryable = None if error.code != PARSE_ERROR else False
    return ProviderError(f"{subject}: {error.message}", retryable=retryable, details={"mcp_code": error.code})


def start_failure(server: str, error: BaseException, diagnosis: str) -> ProviderUnavailableError:
    """Why a server could not be connected to, with what it left behind."""
    cause = cause_of(error)
    if isinstance(cause, GleitzeitError):
        return ProviderUnavailableError(cause.message, hint=cause.hint, details={"server": server})
    words = f'server "{server}" did not start'
    if not (isinstance(cause, MCPError) and cause.code == CONNECTION_CLOSED):
        words += f": {_words(cause)}"
    return ProviderUnavailableError(
        f"{words}: {diagnosis}" if diagnosis else words,
        hint=f'correct the settings of "{server}" under mcp.servers; the next call tries again',
        details={"server": server},
    )


def malformed(server: str, tools: Mapping[str, str]) -> ProviderError:
    """Which tools of a server cannot be used, each with the reason, while its others can."""
    shown = "; ".join(f'tool "{name}" is malformed: {reason}' for name, reason in list(tools.items())[:_SHOWN_TOOLS])
    more = f"; and {len(tools) - _SHOWN_TOOLS} more" if len(tools) > _SHOWN_TOOLS else ""
    return ProviderError(f'server "{server}": {shown}{more}', retryable=False, details={"server": server})


def loss(server: str, diagnosis: str) -> ProviderUnavailableError:
    """Why a server that was connected to no longer is."""
    return ProviderUnavailableError(f'server "{server}" lost its connection: {diagnosis}', details={"server": server})


def _words(error: BaseException) -> str:
    """The first line of an error, without the query of a URL, which may hold a key."""
    text = str(error).strip()
    return _QUERY.sub(r"\1", text.splitlines()[0]) if text else type(error).__name__
