"""Connections that could not be opened or that broke, as errors that say why."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator

from gleitzeit.core.errors import ConnectionLostError, ProviderError, ProviderUnavailableError
from gleitzeit_mcp.transports.remote import Remote

_OWN_AUTHORITY = "if you trust it, name the certificate of its authority in the environment variable SSL_CERT_FILE"
# By the codes of OpenSSL: https://docs.openssl.org/master/man1/openssl-verification-options/
_DISTRUST = {
    9: ("it is not valid yet", "check the clock of this machine"),
    10: ("it has expired", "the certificate of the server has to be renewed"),
    18: ("it is self-signed", _OWN_AUTHORITY),
    19: ("it was issued by an authority that is not trusted here", _OWN_AUTHORITY),
    20: ("it was issued by an authority that is not known here", _OWN_AUTHORITY),
    21: ("it was issued by an authority that is not known here", _OWN_AUTHORITY),
    62: ("it is for another host", "use the host name that the certificate is for"),
    64: ("it is for another host", "use the host name that the certificate is for"),
}


def unreachable(remote: Remote, error: BaseException) -> ProviderUnavailableError:
    """Why no connection could be opened, so that nothing was sent."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _distrusted(remote, cause)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLWantReadError | ssl.SSLWantWriteError):
            return _no_handshake(remote, cause)
    return ProviderUnavailableError(
        f"{remote.place} cannot be reached: {_reason(remote, error)}",
        hint="check its url, and whether the server is running",
        details={"server": remote.name},
    )


def lost(remote: Remote, error: BaseException) -> ConnectionLostError:
    """Why a connection broke after something was sent."""
    return ConnectionLostError(
        f"the connection broke before the answer was complete: {_reason(remote, error)}",
        details={"server": remote.name},
    )


def odd(remote: Remote, error: BaseException) -> ProviderError:
    """That an answer was like none that is foreseen; whether the request was carried out is not known."""
    return ProviderError(
        f"its answer could not be taken in: {_reason(remote, error)}",
        hint="tell whoever makes the server",
        retryable=False,
        ambiguous=True,
        details={"server": remote.name},
    )


def _distrusted(remote: Remote, error: ssl.SSLCertVerificationError) -> ProviderUnavailableError:
    reason, hint = _DISTRUST.get(error.verify_code, (error.verify_message, _OWN_AUTHORITY))
    return ProviderUnavailableError(
        f"the certificate of {remote.place} is not accepted: {reason}",
        hint=hint,
        retryable=False,
        details={"server": remote.name},
    )


def _no_handshake(remote: Remote, error: ssl.SSLError) -> ProviderUnavailableError:
    plain = error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
    secure = remote.url.partition(":")[0]
    return ProviderUnavailableError(
        f"no TLS with {remote.place}: {(error.reason or str(error)).lower().replace('_', ' ')}",
        hint=f"if the server speaks without TLS, write {secure.rstrip('s')}:// in its url" if plain else None,
        retryable=False,
        details={"server": remote.name},
    )


def _reason(remote: Remote, error: BaseException) -> str:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "its host name is not known"
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno).lower()
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return "it does not answer"
    return remote.quoted(str(error)) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
