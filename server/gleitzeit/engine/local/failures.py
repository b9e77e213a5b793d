"""Whatever a provider raises, as one of our errors."""

from __future__ import annotations

import builtins
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

from gleitzeit.core.errors import (
    ConnectionLostError,
    GleitzeitError,
    ProviderCrashedError,
    ProviderUnavailableError,
    TimeoutError,
)
from gleitzeit.core.groups import only_error
from gleitzeit.core.models import Failure
from gleitzeit.engine.local.results import as_data

logger = logging.getLogger("gleitzeit.engine")

_LONGEST_MESSAGE = 4000

Group = BaseExceptionGroup[BaseException]
Redact = Callable[[str], str]


def translate(error: BaseException, method: str, redact: Redact) -> GleitzeitError:
    """The error as ours: connection errors and timeouts by their kind, anything unforeseen as a crash, logged."""
    error = only_error(error)
    if isinstance(error, GleitzeitError):
        return error
    if isinstance(error, BaseExceptionGroup):
        group = cast("Group", error)
        leaves = list(_leaves(group))
        words = "; ".join(_words(leaf, redact) for leaf in leaves[:3])
        return _crash(group, method, redact, f"{len(leaves)} errors at once: {words}")
    if isinstance(error, ConnectionRefusedError):
        return ProviderUnavailableError(f"{method}: the connection was refused: {_words(error, redact)}")
    if isinstance(error, ConnectionError):
        return ConnectionLostError(f"{method}: the connection was lost: {_words(error, redact)}")
    if isinstance(error, builtins.TimeoutError):
        return TimeoutError(f"{method}: timed out inside of the provider: {_words(error, redact)}")
    return _crash(error, method, redact, _words(error, redact))


def recorded_failure(error: GleitzeitError, redact: Callable[[Any], Any]) -> Failure:
    """What is kept of an error: its words without secrets, its details as data."""
    failure = Failure.of(error)
    return replace(
        failure,
        message=redact(failure.message),
        hint=redact(failure.hint),
        details=as_data(failure.details, redact) if failure.details else {},
    )


def _leaves(group: Group) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast("Group", error))
        else:
            yield error


def log_defect(message: str, error: BaseException, redact: Redact) -> None:
    """Log an unforeseen error with its traceback, but without secrets."""
    logger.error("%s\n%s", message, redact("".join(traceback.format_exception(error)).rstrip()))


def _crash(error: BaseException, method: str, redact: Redact, words: str) -> GleitzeitError:
    log_defect(f"{method} raised what its provider did not translate", error, redact)
    return ProviderCrashedError(
        f"{method} failed in a way its provider did not foresee: {words}",
        hint="this is a defect in the provider; the log has its traceback",
        details={"type": type(error).__name__},
    )


def _words(error: BaseException, redact: Redact) -> str:
    """The error in its own words, cut only after redaction, for a part of a secret would not be found."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - a foreign __str__ may raise anything, and the error's type says something
        text = ""
    name = type(error).__name__
    return f"{name}: {redact(text)[:_LONGEST_MESSAGE]}" if text else name
