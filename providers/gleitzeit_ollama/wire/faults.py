"""What the HTTP library raises, as errors of ours. Imports httpx2, which start-up must not."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeGuard

import anyio
import httpx2

from gleitzeit.core.errors import ConnectionLostError, ProviderUnavailableError
from gleitzeit_ollama.wire.refusals import LOST, START


@contextmanager
def translated(shown: str) -> Generator[None]:
    """Turn the HTTP library's errors into ours; `shown` is the endpoint, as messages name it."""
    details = {"endpoint": shown}
    try:
        yield
    except httpx2.ConnectTimeout as error:
        message = f"no Ollama answers at {shown}: no connection in time"
        raise ProviderUnavailableError(message, hint=START, details={**details, "again": False}) from error
    except (httpx2.ConnectError, httpx2.ProxyError) as error:
        message = f"no Ollama answers at {shown}: {reason(error)}"
        raise ProviderUnavailableError(message, hint=START, details=details) from error
    except (httpx2.HTTPError, httpx2.StreamError, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
        message = f"the connection to Ollama at {shown} broke: {reason(error)}"
        raise ConnectionLostError(message, hint=LOST, details=details) from error


def reason(error: Exception) -> str:
    """What is at the bottom of an error, where the libraries on top of it only say that something failed."""
    for cause in _causes(error):
        if isinstance(cause, ConnectionError) and cause.errno:
            return os.strerror(cause.errno).lower()
        if isinstance(cause, socket.gaierror) and cause.strerror:
            return cause.strerror.lower()
    return str(error) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        # A group is there where localhost has two addresses, and both were refused.
        error = error.exceptions[0] if _is_group(error) else error.__cause__ or error.__context__


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)
