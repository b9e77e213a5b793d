"""Where the server listens, and under which names it is asked there."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gleitzeit.core.errors import ConfigurationError

_NAMES = ("127.0.0.1", "localhost", "[::1]")

_MOST_DIGITS = 5
_AROUND = len(": \r\n")

LARGEST_HEAD = 16 * 1024
"""How many bytes the head of a request may have."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens. A page that reaches it under another name, or comes from elsewhere, is refused.

    `hosts` are more names for it, and `pages` more origins that may ask, such as those of a proxy in front.
    """

    host: str
    port: int
    hosts: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_local(self.host)

    def refusal(self, request: Request) -> Response | None:
        """Why a request is not let through, if it is not."""
        if _size_of_head(request) > LARGEST_HEAD:
            return PlainTextResponse("the head of the request is too large", status_code=431)
        names, origins = _known(self, (request.scope.get("server") or ("",))[0])
        host, _, port = request.headers.get("host", "").rpartition(":")
        if not (host and port.isascii() and port.isdigit() and len(port) <= _MOST_DIGITS):  # it names no port
            host = request.headers.get("host", "")
        if host.lower() not in names:
            return PlainTextResponse("this server goes by other names", status_code=421)
        if any(origin.lower() not in origins for origin in request.headers.getlist("origin")):
            return PlainTextResponse("pages of other origins are not served", status_code=403)
        return None


@lru_cache(maxsize=64)
def _known(address: Address, reached: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names and origins for requests that have come to one of the machine's own addresses.

    That address is no name that somebody else could point here.
    """
    own = [*_NAMES, address.host, *_spelled(reached)]
    origins = [*(f"http://{name}:{address.port}" for name in own), *address.pages]
    return frozenset(name.lower() for name in (*own, *address.hosts)), frozenset(page.lower() for page in origins)


def listen(host: str, port: int, *, guarded: bool = False) -> socket.socket:
    """A socket at an address of this machine; one that others reach has to be `guarded` by tokens.

    Raises `ConfigurationError` for one that is not, and for an address that can't be had.
    """
    address = _address(host)
    if not (guarded or address.is_loopback):
        raise unguarded(host)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((str(address), port))
        listening.listen(socket.SOMAXCONN)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}",
            hint="choose another port; 0 takes any that is free",
        ) from error
    return listening


def unguarded(host: str) -> ConfigurationError:
    """Why nothing listens at an address that others reach while anybody might come in."""
    return ConfigurationError(
        f"{host} is not an address of this machine alone, and no tokens keep strangers out (server.tokens)",
        hint="listen on 127.0.0.1, or make a token: `gleitzeit config token NAME`",
    )


def address_of(listening: socket.socket, hosts: tuple[str, ...] = (), pages: tuple[str, ...] = ()) -> Address:
    """The address of a bound socket, with more names and origins."""
    host, port = listening.getsockname()[:2]
    return Address(f"[{host}]" if ":" in host else host, port, hosts, pages)


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address. Raises `ConfigurationError` for what is none."""
    return _address(host).is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError as error:
        raise ConfigurationError(
            f"{host or 'an empty host'} is not an address to listen at",
            hint="write an IP address such as 127.0.0.1, or 0.0.0.0 for all; names of a proxy are server.allowed_hosts",
        ) from error


def _size_of_head(request: Request) -> int:
    line = len(request.scope.get("raw_path", b"")) + len(request.scope.get("query_string", b""))
    return line + sum(len(name) + len(value) + _AROUND for name, value in request.headers.raw)


def _spelled(reached: str) -> list[str]:
    """An address as it stands in a URL."""
    try:
        address = ipaddress.ip_address(reached)
    except ValueError:
        return []
    shown = getattr(address, "ipv4_mapped", None) or address
    return [f"[{shown}]" if shown.version == 6 else str(shown)]
