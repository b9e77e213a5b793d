"""What the exit codes mean, and which one an error or a run ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gleitzeit.core import errors

if TYPE_CHECKING:  # the server over stdio starts without it
    from gleitzeit.core.models import Run

OK = 0
UNEXPECTED = 1
USAGE = 2
NOT_FOUND = 3
INVALID = 4
RUN_FAILED = 5
UNREACHABLE = 6
TIMED_OUT = 7
INTERRUPTED = 130

# The first entry that fits counts: a narrower error stands before a wider one.
_BY_ERROR: tuple[tuple[type[errors.GleitzeitError], int], ...] = (
    (errors.NotFoundError, NOT_FOUND),
    (errors.ConfigurationError, INVALID),
    (errors.DocumentError, INVALID),
    (errors.ValidationError, INVALID),
    (errors.ReferenceUnresolvedError, INVALID),
    (errors.ExpressionError, INVALID),
    (errors.ConflictError, INVALID),
    (errors.ForbiddenError, INVALID),
    (errors.LimitError, INVALID),
    (errors.UnsupportedError, INVALID),
    (errors.StoreError, UNREACHABLE),
    (errors.ProviderUnavailableError, UNREACHABLE),
    (errors.ConnectionLostError, UNREACHABLE),
    (errors.ProviderError, RUN_FAILED),
    (errors.TimeoutError, TIMED_OUT),
    (errors.CancelledError, INTERRUPTED),
)


def exit_code_of(error: BaseException) -> int:
    """The exit code of a command that ended with `error`."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, FileNotFoundError):
        return NOT_FOUND
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), UNEXPECTED)


def exit_code_of_run(run: Run) -> int:
    """The exit code of a command whose result is `run`."""
    if run.status == "completed":
        return OK
    if run.status == "cancelled" and (run.error is None or run.error.code != errors.TimeoutError.code):
        return INTERRUPTED
    # The same error ends a command with other codes where no run was started at all.
    code = exit_code_of(run.error.to_error()) if run.error is not None else RUN_FAILED
    return code if code in (UNREACHABLE, TIMED_OUT) else RUN_FAILED
