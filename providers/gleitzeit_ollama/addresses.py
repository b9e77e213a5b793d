"""Where an Ollama server listens, from what people write for it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

# What `OLLAMA_HOST` is set to for listening on all interfaces is no address to connect to everywhere.
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nothing is bound to it


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The base URL of one server; `shown` is what may stand in messages, without a password."""

    url: str
    shown: str
    loopback: bool

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """`localhost:11434`, with or without scheme, base path and the `/api` or `/v1` that documents end it with.

        Raises `ValueError` for what is no http or https address, without repeating it: it may hold a password.
        """
        written = text.strip()
        try:
            parts = urlsplit(written if "://" in written else f"http://{written}")
            port = parts.port
        except ValueError:
            raise ValueError("it has no valid host and port") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or " " in written or not written.isprintable():
            raise ValueError("it is not an address like http://localhost:11434")
        if parts.query or parts.fragment:
            raise ValueError("it has a query or fragment, which an endpoint cannot have")
        if "@" in parts.path:
            raise ValueError("it has an @ after its host: write a / in a password as %2F")
        host = _ANY_ADDRESS.get(parts.hostname, parts.hostname)
        place = _bracketed(host) + (f":{port}" if port is not None else "")
        user, at, _ = parts.netloc.rpartition("@")
        path = parts.path.rstrip("/").removesuffix("/api").removesuffix("/v1").rstrip("/")
        return cls(
            url=urlunsplit((parts.scheme, user + at + place, path, "", "")),
            shown=urlunsplit((parts.scheme, place, path, "", "")),
            loopback=_is_loopback(host),
        )

    @property
    def secure(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.url.startswith("https:")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
