"""What an HTTP status other than success means for the request that it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from gleitzeit.core.errors import ProviderError, ProviderUnavailableError
from gleitzeit_mcp.transports.remote import Remote

TOO_MANY, UNAVAILABLE = 429, 503
_LONGEST_PATIENCE = 86_400.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer that is no success: its status, and what of its headers and body tells more."""

    status: int
    retry_after: float | None = None
    location: str | None = None
    words: str = ""


def refused(remote: Remote, refusal: Refusal, method: str | None = None) -> ProviderError:
    """The error of a request of that method; a failure of the server's own is ambiguous where it may have acted."""
    status = refusal.status
    message = _sentence(refusal) + (f": {refusal.words}" if refusal.words else "")
    details = {"server": remote.name, "status": status}
    if status in (TOO_MANY, UNAVAILABLE):
        if refusal.retry_after is not None:
            message += f"; it asks for {refusal.retry_after:g} seconds of patience"
            details = {**details, "retry_after": refusal.retry_after}
        return ProviderUnavailableError(message, details=details)
    if status >= 500:
        return ProviderError(message, ambiguous=method == "tools/call", details=details)
    # What is refused to whoever asks is a matter of the settings; anything else may be of this one request.
    kind = ProviderUnavailableError if status in (401, 403) or refusal.location else ProviderError
    return kind(message, hint=_hint(remote, refusal), retryable=False, details=details)


def not_let_in(remote: Remote, refusal: Refusal) -> ProviderUnavailableError:
    """The error of a connection that was refused as a whole."""
    error = refused(remote, refusal)
    return ProviderUnavailableError(error.message, hint=error.hint, retryable=error.retryable, details=error.details)


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds that a `Retry-After` asks for, as a number or as a date, but a day at most."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), _LONGEST_PATIENCE)
    try:
        asked = round(max(0.0, parsedate_to_datetime(text).timestamp() - time.time()), 1)
    except (ValueError, OverflowError):
        return None
    return min(asked, _LONGEST_PATIENCE)


def _sentence(refusal: Refusal) -> str:
    match refusal.status:
        case 401:
            return "it asks for credentials, or does not accept those it was given (HTTP 401)"
        case 403:
            return "it does not allow this with these credentials (HTTP 403)"
        case 404:
            return "there is nothing at its url (HTTP 404)"
        case 429:
            return "it gets too many requests (HTTP 429)"
        case 503:
            return "it is not available now (HTTP 503)"
        case status if 300 <= status < 400 and refusal.location:
            return f"its url leads elsewhere, to {refusal.location} (HTTP {status}), which was not followed"
        case status if status >= 500:
            return f"it failed (HTTP {status})"
        case status:
            return f"it refused the request (HTTP {status})"


def _hint(remote: Remote, refusal: Refusal) -> str | None:
    entry = f'"{remote.name}" under mcp.servers'
    match refusal.status:
        case 401:
            return (
                f"give {entry} an auth_token or headers; if it has OAuth: `oauth: true`, then `{remote.login_command}`"
            )
        case 403:
            return f"check what the credentials of {entry} may do"
        case 404 | 405:
            return f"check the url of {entry}, and its connection_type: sse for the older HTTP with SSE, else http"
        case status if 300 <= status < 400 and refusal.location:
            return f"if that is the server you mean, write it as the url of {entry}"
        case _:
            return None
