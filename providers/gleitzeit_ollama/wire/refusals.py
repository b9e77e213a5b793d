"""What an answer other than the one asked for means: one error for each, and whether trying again can help."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.data import is_object
from gleitzeit.core.errors import GleitzeitError, LimitError, ProviderError, ValidationError
from gleitzeit_ollama.wire.foreign_json import json_object

WHERE = "providers.ollama.endpoint in the configuration, or GLEITZEIT_PROVIDERS__OLLAMA__ENDPOINT, says where it is"
START = f"start it with `ollama serve`; {WHERE}"
LOST = "its log says more; `retry` of the task asks once more, another node where there is one"

_SNIPPET = 200
_LONGEST_WORDS = 2_000
_CLOSED = frozenset({401, 403, 407})
_CREDENTIALS = (
    "user and password go into the endpoint, https://user:password@host; models in the cloud need `ollama signin` there"
)
_PASSING = frozenset({408, 425, 429, 499})
# The one mistake in a request that Ollama answers as if it were its own.
_WRONG_OPTION = re.compile(r"option \".*\" must be of type")

_WRONG_FORMAT = "invalid JSON schema in format"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer with a status other than 200, as it came. `shown` is the endpoint."""

    shown: str
    status: int
    body: bytes
    location: str | None = None

    @property
    def words(self) -> str | None:
        """Ollama's own words for it, or nothing where they are not in Ollama's form."""
        answer = json_object(self.body)
        return error_words(answer["error"]) if answer is not None and "error" in answer else None

    @property
    def sign_in(self) -> str | None:
        """Where to sign in for a model in the cloud, where the answer tells."""
        url = (json_object(self.body) or {}).get("signin_url")
        return url if isinstance(url, str) and url.startswith("https://") and len(url) <= _LONGEST_WORDS else None


def error_words(error: Any) -> str:
    """The text of an `error` field, as much of it as anyone reads; some servers wrap it in an object."""
    words = str(error["message"] if is_object(error) and "message" in error else error)
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}..."


def snippet(body: bytes) -> str:
    """The beginning of a foreign answer, on one line."""
    text = " ".join(body[: _SNIPPET * 4].decode("utf-8", "replace").split())
    return text if len(text) <= _SNIPPET else text[:_SNIPPET] + "..."


def not_ollama(shown: str, answer: str) -> ProviderError:
    """The error for a server that speaks, but not like Ollama."""
    return ProviderError(
        f"what answers at {shown} is not an Ollama: {answer}",
        hint=WHERE,
        retryable=False,
        details={"endpoint": shown, "foreign": True},
    )


def refused(refusal: Refusal) -> GleitzeitError:
    """The error that an answer stands for; it goes by the status, for the words change with Ollama's version."""
    details = {"endpoint": refusal.shown, "status": refusal.status}
    words = refusal.words
    if words is None and refusal.status < 500 and refusal.status not in _PASSING | _CLOSED:
        return _foreign(refusal)
    said = f"Ollama at {refusal.shown} answered {refusal.status}: {words or snippet(refusal.body) or 'nothing else'}"
    match refusal.status:
        case 400 | 422:
            return ValidationError(f"Ollama refused the request: {words}", details=details)
        case 500 if words is not None and _WRONG_OPTION.match(words):
            return ValidationError(f"Ollama refused the request: {words}", details=details)
        case 401 | 403 | 407:
            hint = f"sign in at {refusal.sign_in}" if refusal.sign_in else _CREDENTIALS
            return ProviderError(said, hint=hint, retryable=False, details=details)
        case 413:
            return LimitError(said, hint="send less text", details=details)
        case 503:
            hint = "it has too many requests waiting; lower max_parallel, or raise its OLLAMA_MAX_QUEUE"
            return ProviderError(said, hint=hint, details=details)
        case status:
            return ProviderError(said, retryable=status >= 500 or status in _PASSING, details=details)


def broken_off(shown: str, error: Any) -> GleitzeitError:
    """The error for an `error` that comes in place of an answer, or in the middle of one: its status was 200."""
    words = error_words(error)
    if _WRONG_FORMAT in words:
        return ValidationError(
            f"Ollama refused the request: {words}",
            hint="it takes a part of JSON Schema only: use plain types, properties, items, enum and required",
            details={"endpoint": shown, "parameter": "format"},
        )
    return ProviderError(f"Ollama at {shown} failed while answering: {words}", details={"endpoint": shown})


def _foreign(refusal: Refusal) -> ProviderError:
    if refusal.location:
        answer = f"status {refusal.status}, which sends requests on to {snippet(refusal.location.encode())}"
    else:
        answer = f"status {refusal.status} and {snippet(refusal.body) or 'an empty answer'}"
    return not_ollama(refusal.shown, answer)
