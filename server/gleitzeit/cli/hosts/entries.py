"""A host's entry of a server as an entry of `mcp.servers`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from gleitzeit.cli.hosts.dialects import translated
from gleitzeit.cli.hosts.files import HostServer
from gleitzeit.cli.hosts.secrets import Secret, masked, secrets_in
from gleitzeit.cli.launcher import COMMAND, DISTRIBUTION
from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.transports import SCHEMES, TRANSPORTS, transport_of_url

_ADDRESSES = ("url", "serverUrl", "httpUrl")
_STATES = ("disabled", "enabled")
_UNDERSTOOD = frozenset({"command", "args", "env", "headers", "cwd", "type", "transport", *_STATES, *_ADDRESSES})
_OF_THE_HOST = frozenset({"autoApprove", "alwaysAllow", "gallery", "version", "dev", "description", "name"})
_NAME = re.compile(r"\S(.{0,62}\S)?")
_UNUSABLE = re.compile(r"[\0\ud800-\udfff]")  # half of a surrogate pair can't be written; no command takes a NUL
_OWN_PROGRAMS = frozenset({"gleitzeit", COMMAND})
_OWN_WORDS = frozenset({("-m", "gleitzeit"), ("gleitzeit", "mcp")})


@dataclass(frozen=True, slots=True)
class Taken:
    """A server as it is to stand under `mcp.servers`, and what a person should know about it."""

    name: str
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()

    def masked(self) -> dict[str, Any]:
        """The settings without what may be secret, to be shown."""
        return masked(self.settings)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A server that is not taken over, and why."""

    name: str
    reason: str


class _Unfit(Exception):
    """Why an entry can't be taken over."""


def taken_over(servers: Sequence[HostServer], present: frozenset[str]) -> list[Taken | Skipped]:
    """Each server as Gleitzeit would have it, or why not; of several with one name the first counts."""
    taken: dict[str, Path] = {}
    results: list[Taken | Skipped] = []
    for server in servers:
        if server.name in present:
            results.append(Skipped(server.name, "a server of that name is configured already"))
        elif server.name in taken:
            results.append(Skipped(server.name, f"it is taken from {taken[server.name]} already"))
        else:
            result = _taken(server)
            results.append(result)
            if isinstance(result, Taken):
                taken[server.name] = server.file.path
    return results


def is_gleitzeit(name: str, entry: Any) -> bool:
    """Whether the entry of a host starts, or reaches, Gleitzeit itself."""
    if name in (DISTRIBUTION, "gleitzeit"):
        return True
    if not is_object(entry):
        return False
    command, arguments = entry.get("command"), entry.get("args")
    program = PurePath(command.replace("\\", "/")).name.removesuffix(".exe") if isinstance(command, str) else ""
    words = [word for word in arguments if isinstance(word, str)] if is_list(arguments) else []
    return program in _OWN_PROGRAMS or COMMAND in words or not _OWN_WORDS.isdisjoint(pairwise(words))


def _taken(server: HostServer) -> Taken | Skipped:
    name, entry = server.name, server.entry
    if is_gleitzeit(name, entry):
        return Skipped(name, "it is Gleitzeit itself, which would start itself again")
    if not is_object(entry):
        return Skipped(name, "its entry is not an object")
    if not _NAME.fullmatch(name) or _UNUSABLE.search(name):
        return Skipped(name, "a name has 1 to 64 characters of text, and no space at its ends; give it another")
    if entry.get("disabled") is True or entry.get("enabled") is False:
        return Skipped(name, "it is disabled there")
    try:
        return _Reading(server, entry).taken()
    except _Unfit as problem:
        return Skipped(name, str(problem))


class _Reading:
    """One entry while it is read, with the notes that come up."""

    def __init__(self, server: HostServer, entry: Mapping[str, Any]) -> None:
        self._server = server
        self._entry = entry
        self._notes: list[str] = []

    def taken(self) -> Taken:
        settings: dict[str, Any] = {"name": self._server.name, **self._address()}
        for key in ("env", "headers"):
            named = dict(self._named(key))
            if named and key == "headers" and "command" in settings:
                self._notes.append("headers are not taken over: it is started by a command")
            elif named:
                settings[key] = named
        if self._entry.get("cwd") is not None:
            settings["working_dir"] = self._text("cwd", self._entry["cwd"])
        unknown = [key for key in self._entry if key not in _UNDERSTOOD | _OF_THE_HOST]
        self._notes += [f"{key} is not taken over" for key in unknown]
        notes = tuple(dict.fromkeys(self._notes))
        return Taken(self._server.name, settings, notes, tuple(secrets_in(settings)))

    def _address(self) -> dict[str, Any]:
        key = next((key for key in _ADDRESSES if self._entry.get(key)), None)
        kind = self._kind()
        if self._entry.get("command"):
            arguments: Any = self._entry.get("args") or []
            if not is_list(arguments):
                raise _Unfit("its args are not a list")
            words = [self._text(f"args[{index}]", word) for index, word in enumerate(arguments)]
            command = {"command": self._text("command", self._entry["command"])}
            if key is not None:
                self._notes.append(f"{key} is not taken over: it is started by its command")
            return {**command, "args": words} if words else command
        if key is None:
            raise _Unfit("it has neither a command nor a url")
        url = self._text(key, self._entry[key])
        return {"connection_type": _connection_type(key, url, kind), "url": url}

    def _kind(self) -> str | None:
        named = self._entry.get("type") or self._entry.get("transport")
        if named is None:
            return None
        if not isinstance(named, str):
            raise _Unfit("its type is not a text")
        if named not in TRANSPORTS:
            raise _Unfit(f"Gleitzeit knows no servers of type {named}")
        return TRANSPORTS[named]

    def _named(self, key: str) -> Iterator[tuple[str, str]]:
        values: Any = self._entry.get(key) or {}
        if not is_object(values):
            raise _Unfit(f"its {key} is not an object")
        for name, value in values.items():
            if _UNUSABLE.search(name):
                raise _Unfit(f"its {key} has a name that is not text")
            if value is None:
                self._notes.append(f"{key}.{name} is null, and is left out")
            else:
                yield name, self._text(f"{key}.{name}", value)

    def _text(self, key: str, value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        if not isinstance(value, str) or _UNUSABLE.search(value):
            raise _Unfit(f"its {key} is not a text")
        translation = translated(value, self._server.file.dialect, self._server.file.folder)
        self._notes += [f"{key}: {note}" for note in translation.notes]
        return translation.text


def _connection_type(key: str, url: str, kind: str | None) -> str:
    """How a server is reached at a URL: as its entry says, else as the URL looks."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _Unfit(f"its {key} is none: {error}") from error
    if kind in (None, "stdio"):
        kind = transport_of_url(url)
        kind = "sse" if kind == "http" and parts.path.rstrip("/").endswith("/sse") else kind
    wanted = SCHEMES[kind]
    if parts.scheme.lower() not in wanted and not url.startswith("${"):
        raise _Unfit(f"its {key} begins with neither {' nor '.join(f'{scheme}://' for scheme in wanted)}")
    return kind
