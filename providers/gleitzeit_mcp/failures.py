"""What servers and the system say when something fails, as errors of Gleitzeit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import cast

from gleitzeit.core.errors import (
    ConfigurationError,
    GleitzeitError,
    ProviderError,
    ProviderUnavailableError,
    UnsupportedError,
    ValidationError,
)
from gleitzeit_mcp.session.errors import INVALID_PARAMS, METHOD_NOT_FOUND, PARSE_ERROR, RemoteError

_SHOWN_TOOLS = 5


def cause_of(error: BaseException) -> BaseException:
    """The first error inside of what task groups wrapped around it."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return cause_of(group.exceptions[0])
    return error


def call_failure(
    subject: str, error: RemoteError | GleitzeitError, redact: Callable[[str], str] = str
) -> GleitzeitError:
    """Why a request did not bring a result: the same kind of error, which says whose it is."""
    if isinstance(error, GleitzeitError):
        told = redacted(error, redact)
        told.message = f"{subject}: {told.message}"
        told.args = (told.message,)
        return told
    words = f"{subject}: {redact(error.message)}"
    if error.code == INVALID_PARAMS:
        return ValidationError(words)
    if error.code == METHOD_NOT_FOUND:
        return UnsupportedError(words)
    # What cannot be read was carried out, or will not be read the next time either.
    retryable = None if error.code != PARSE_ERROR else False
    return ProviderError(words, retryable=retryable, details={"mcp_code": error.code})


def redacted(error: GleitzeitError, redact: Callable[[str], str]) -> GleitzeitError:
    """The same error without what `redact` takes out."""
    told = copy.copy(error)
    told.message = redact(error.message)
    told.hint = None if error.hint is None else redact(error.hint)
    told.args = (told.message,)
    return told


def list_failure(server: str, error: RemoteError | GleitzeitError) -> GleitzeitError:
    """Why a server's tools are not known although it is connected."""
    return call_failure(f'server "{server}": tools/list', error)


def start_failure(server: str, error: BaseException, diagnosis: str) -> ProviderUnavailableError:
    """Why a server could not be connected to, with what it left behind."""
    cause = cause_of(error)
    hint = f'correct the settings of "{server}" under mcp.servers; the next call tries again'
    details = {"server": server}
    if isinstance(cause, GleitzeitError):
        return _told(server, cause, diagnosis, hint)
    words = f'server "{server}" did not start'
    if isinstance(cause, RemoteError):
        words += f": it refused with {cause.message} ({cause.code})"
    else:
        words += f": {_first_line(cause)}"
    return ProviderUnavailableError(f"{words}: {diagnosis}" if diagnosis else words, hint=hint, details=details)


def _told(server: str, cause: GleitzeitError, diagnosis: str, hint: str) -> ProviderUnavailableError:
    details = {**cause.details, "server": server}
    complete = isinstance(cause, ConfigurationError) or f'server "{server}"' in cause.message
    if complete:
        return ProviderUnavailableError(cause.message, hint=cause.hint, details=details)
    # That the connection broke says less than what the other end left behind.
    reason = diagnosis if diagnosis and cause.ambiguous else cause.message
    extra = f": {diagnosis}" if diagnosis and reason is not diagnosis else ""
    return ProviderUnavailableError(
        f'server "{server}" did not start: {reason}{extra}', hint=cause.hint or hint, details=details
    )


def malformed(server: str, tools: Mapping[str, str]) -> ProviderError:
    """Which tools of a server cannot be used, each with the reason, while its others can."""
    shown = "; ".join(f'tool "{name}" is malformed: {reason}' for name, reason in list(tools.items())[:_SHOWN_TOOLS])
    more = f"; and {len(tools) - _SHOWN_TOOLS} more" if len(tools) > _SHOWN_TOOLS else ""
    return ProviderError(f'server "{server}": {shown}{more}', retryable=False, details={"server": server})


def loss(server: str, diagnosis: str) -> ProviderUnavailableError:
    """Why a server that was connected to no longer is."""
    words = f'server "{server}" lost its connection'
    return ProviderUnavailableError(f"{words}: {diagnosis}" if diagnosis else words, details={"server": server})


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
