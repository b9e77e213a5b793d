"""Whatever a provider raises, as one of our errors."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Iterator
from typing import cast

from gleitzeit.core.errors import (
    ConnectionLostError,
    GleitzeitError,
    ProviderCrashedError,
    ProviderUnavailableError,
    TimeoutError,
)
from gleitzeit.core.models import Failure

logger = logging.getLogger("gleitzeit.engine")

_LONGEST_MESSAGE = 4000

Group = BaseExceptionGroup[BaseException]


def translate(error: BaseException, method: str) -> GleitzeitError:
    """The error as ours: connection errors and timeouts by their kind, anything unforeseen as a crash, logged."""
    if isinstance(error, GleitzeitError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return _of_group(cast("Group", error), method)
    if isinstance(error, ConnectionRefusedError):
        return ProviderUnavailableError(f"{method}: the connection was refused: {_words(error)}")
    if isinstance(error, ConnectionError):
        return ConnectionLostError(f"{method}: the connection was lost: {_words(error)}")
    if isinstance(error, builtins.TimeoutError):
        return TimeoutError(f"{method}: timed out inside of the provider: {_words(error)}")
    return _crash(error, method, _words(error))


def error_of(failure: Failure) -> GleitzeitError:
    """An error of the same kind as the one that was recorded, to be raised again."""
    kind = next((kind for kind in _kinds(GleitzeitError) if kind.code == failure.code), GleitzeitError)
    error = kind.__new__(kind)
    GleitzeitError.__init__(
        error,
        failure.message,
        hint=failure.hint,
        code=failure.code,
        retryable=failure.retryable,
        ambiguous=failure.ambiguous,
        details=failure.details,
    )
    return error


def _of_group(group: Group, method: str) -> GleitzeitError:
    leaves = list(_leaves(group))
    if len(leaves) == 1:
        return translate(leaves[0], method)
    return _crash(group, method, f"{len(leaves)} errors at once: " + "; ".join(_words(leaf) for leaf in leaves[:3]))


def _leaves(group: Group) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast("Group", error))
        else:
            yield error


def _crash(error: BaseException, method: str, words: str) -> GleitzeitError:
    logger.error("%s raised what its provider did not translate", method, exc_info=error)
    return ProviderCrashedError(
        f"{method} failed in a way its provider did not foresee: {words}",
        hint="this is a defect in the provider; the log has its traceback",
        details={"type": type(error).__name__},
    )


def _words(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything, and the error's type still says something
        text = ""
    name = type(error).__name__
    return f"{name}: {text[:_LONGEST_MESSAGE]}" if text else name


def _kinds(kind: type[GleitzeitError]) -> Iterator[type[GleitzeitError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)
