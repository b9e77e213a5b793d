"""Errors of ours as errors of the protocol, for requests that have no result to say them in."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import mcp_types as types
from mcp.shared.exceptions import MCPError

from gleitzeit.core.errors import DocumentError, GleitzeitError, NotFoundError, ValidationError


@contextmanager
def protocol_errors() -> Generator[None]:
    """Raise what goes wrong inside as `MCPError`, with the words and the hint of the error."""
    try:
        yield
    except GleitzeitError as error:
        raise protocol_error(error) from error


def protocol_error(error: GleitzeitError) -> MCPError:
    """The error as clients get it: their own fault where something that they named does not fit or is not there."""
    fault = isinstance(error, NotFoundError | ValidationError | DocumentError)
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    data = {"code": error.code, "retryable": error.retryable}
    return MCPError(code=types.INVALID_PARAMS if fault else types.INTERNAL_ERROR, message=message, data=data)
