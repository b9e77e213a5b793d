"""Every error of Gleitzeit: a stable code, what to do next, and whether a retry can help.

GleitzeitError                      error
├── ConfigurationError              configuration_invalid
├── DocumentError                   document_invalid        carries all diagnostics
├── ValidationError                 parameters_invalid
├── ReferenceUnresolvedError        reference_unresolved
├── ExpressionError                 expression_failed
├── NotFoundError                   not_found
│   ├── RunNotFoundError            run_not_found
│   ├── WorkflowNotFoundError       workflow_not_found
│   └── MethodNotFoundError         method_not_found
├── ConflictError                   conflict
│   └── LeaseLostError              lease_lost              another process carries the run out by now
├── ForbiddenError                  forbidden
├── LimitError                      limit_exceeded
├── UnsupportedError                unsupported
├── StoreError                      store_unavailable       retryable: nothing of the request was recorded
│   └── UnrecordedError             audit_unavailable       retryable: what can't be recorded is not carried out
├── ProviderError                   provider_failed         retryable
│   ├── ProviderUnavailableError    provider_unavailable    retryable: the request was not sent
│   ├── ConnectionLostError         connection_lost         ambiguous: it may have been carried out
│   ├── ProviderCrashedError        provider_crashed        an exception that nobody foresaw
│   └── ToolFailedError             tool_failed             a downstream tool said so
├── TimeoutError                    timeout                 ambiguous: it may have been carried out
├── CancelledError                  cancelled
├── QuestionDeclinedError           question_declined       details: whether it was declined or dismissed
└── QuestionExpiredError            question_expired        nobody has answered in time
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from gleitzeit.core.diagnostics import Diagnostic


class GleitzeitError(Exception):
    """The base of all errors; `str()` of it is the message, `hint` says how to mend it.

    `retryable`: the same request may succeed later. `ambiguous`: it may have been carried out although it failed.
    """

    code: str = "error"
    retryable: bool = False
    ambiguous: bool = False
    default_hint: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        retryable: bool | None = None,
        ambiguous: bool | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is not None else self.default_hint
        self.code = code if code is not None else type(self).code
        self.retryable = retryable if retryable is not None else type(self).retryable
        self.ambiguous = ambiguous if ambiguous is not None else type(self).ambiguous
        self.details: Mapping[str, Any] = details if details is not None else {}


class ConfigurationError(GleitzeitError):
    """A configuration file or variable that cannot be used."""

    code = "configuration_invalid"


class DocumentError(GleitzeitError):
    """A workflow document with at least one error; `diagnostics` has all of them."""

    code = "document_invalid"

    def __init__(
        self,
        diagnostics: Sequence[Diagnostic],
        *,
        message: str | None = None,
        hint: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(
            message or "\n".join(str(diagnostic) for diagnostic in self.diagnostics),
            hint=hint,
            details={**(details or {}), "diagnostics": [diagnostic.to_dict() for diagnostic in self.diagnostics]},
        )


class ValidationError(GleitzeitError):
    """Parameters or inputs that do not fit what the method or workflow declares."""

    code = "parameters_invalid"


class ReferenceUnresolvedError(GleitzeitError):
    """A `${...}` whose field is not there at run time."""

    code = "reference_unresolved"


class ExpressionError(GleitzeitError):
    """A CEL expression that could not be evaluated."""

    code = "expression_failed"


class NotFoundError(GleitzeitError):
    """Something named that does not exist."""

    code = "not_found"


class RunNotFoundError(NotFoundError):
    """No run has that id, or it belongs to another caller."""

    code = "run_not_found"
    default_hint = "list_runs shows the runs there are"


class WorkflowNotFoundError(NotFoundError):
    """No saved workflow or file has that name."""

    code = "workflow_not_found"


class MethodNotFoundError(NotFoundError):
    """No provider serves that method."""

    code = "method_not_found"
    default_hint = "search_methods (or `gleitzeit methods`) lists the methods there are"


class ConflictError(GleitzeitError):
    """A request that contradicts the present state."""

    code = "conflict"


class LeaseLostError(ConflictError):
    """A change to a run that another process has taken over."""

    code = "lease_lost"


class ForbiddenError(GleitzeitError):
    """A request that the configuration, the task or the policy does not allow."""

    code = "forbidden"


class LimitError(GleitzeitError):
    """A size or number over its limit."""

    code = "limit_exceeded"


class UnsupportedError(GleitzeitError):
    """A documented feature that this installation does not have."""

    code = "unsupported"


class StoreError(GleitzeitError):
    """The database can't be read or written now; what was acknowledged before is kept."""

    code = "store_unavailable"
    retryable = True


class UnrecordedError(StoreError):
    """The audit log can't be written now, and nothing is carried out without it."""

    code = "audit_unavailable"


class ProviderError(GleitzeitError):
    """A provider answered that it could not do the task; retried where the task asks for retries."""

    code = "provider_failed"
    retryable = True


class ProviderUnavailableError(ProviderError):
    """A provider or server that could not be reached; the request was not sent."""

    code = "provider_unavailable"


class ConnectionLostError(ProviderError):
    """A connection that broke after the request was sent."""

    code = "connection_lost"
    ambiguous = True


class ProviderCrashedError(ProviderError):
    """An exception that the provider did not translate: a defect in it, not in the request."""

    code = "provider_crashed"
    retryable = False


class ToolFailedError(ProviderError):
    """A downstream tool that reported an error, in its own words."""

    code = "tool_failed"


class TimeoutError(GleitzeitError, builtins.TimeoutError):  # the documented name; also a builtin one for `except`
    """An attempt or run that took longer than its limit."""

    code = "timeout"
    retryable = True
    ambiguous = True


class CancelledError(GleitzeitError):
    """A run or task that somebody cancelled."""

    code = "cancelled"


class QuestionDeclinedError(GleitzeitError):
    """A question of a task that whoever was asked did not want to answer; `details["action"]` is decline or cancel."""

    code = "question_declined"


class QuestionExpiredError(GleitzeitError):
    """A question of a task, without a default, that nobody has answered in time."""

    code = "question_expired"


ERRORS: Mapping[str, type[GleitzeitError]] = {
    "configuration_invalid": ConfigurationError,
    "document_invalid": DocumentError,
    "parameters_invalid": ValidationError,
    "reference_unresolved": ReferenceUnresolvedError,
    "expression_failed": ExpressionError,
    "not_found": NotFoundError,
    "run_not_found": RunNotFoundError,
    "workflow_not_found": WorkflowNotFoundError,
    "method_not_found": MethodNotFoundError,
    "conflict": ConflictError,
    "lease_lost": LeaseLostError,
    "forbidden": ForbiddenError,
    "limit_exceeded": LimitError,
    "unsupported": UnsupportedError,
    "store_unavailable": StoreError,
    "audit_unavailable": UnrecordedError,
    "provider_failed": ProviderError,
    "provider_unavailable": ProviderUnavailableError,
    "connection_lost": ConnectionLostError,
    "provider_crashed": ProviderCrashedError,
    "tool_failed": ToolFailedError,
    "timeout": TimeoutError,
    "cancelled": CancelledError,
    "question_declined": QuestionDeclinedError,
    "question_expired": QuestionExpiredError,
}
"""The class of an error by its code; any other code is that of a plain `GleitzeitError`."""
