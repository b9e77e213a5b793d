"""Where hosts keep their MCP servers on this machine, and what stands there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gleitzeit.cli.hosts.dialects import ANY, CLAUDE_CODE, CURSOR, LITERAL, VS_CODE, Dialect
from gleitzeit.cli.hosts.host import Host, Scope, config_file
from gleitzeit.core.data import is_object
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ConfigurationError, NotFoundError

HOSTS = ("claude-desktop", "claude-code", "cursor", "vscode")

# Hosts read comments and commas before a bracket; a text in quotes may look like either. What is not closed is read to
# its end too: where each of many such parts was looked for again, a small file would take hours.
_TEXT = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?'
_COMMENTS = re.compile(rf"{_TEXT}|(?P<spare>//[^\n]*|/\*.*?\*/)|/\*.*", re.DOTALL)
_COMMAS = re.compile(rf"{_TEXT}|(?P<spare>,)(?=\s*[}}\]])", re.DOTALL)
_INK = re.compile(r"[^\n]")
_ANYWHERE = (("mcpServers",), ("servers",), ("mcp", "servers"), ("mcp", "mcpServers"))


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file of a host; the servers are under one of `sections`, and `folder` is the project that it belongs to."""

    host: str
    path: Path
    dialect: Dialect = ANY
    sections: tuple[tuple[str, ...], ...] = _ANYWHERE
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class HostServer:
    """One server as a host has it."""

    name: str
    entry: Any
    file: HostFile


def files_of(host: str) -> list[HostFile]:
    """The files of a host by its name, the nearest to this folder first."""
    here = Path.cwd()
    local = ("projects", str(here), "mcpServers")
    one = (("mcpServers",),)
    match host:
        case "claude-desktop":
            return [HostFile(host, config_file(Host.CLAUDE_DESKTOP, Scope.USER), LITERAL, one)]
        case "claude-code":
            project = config_file(Host.CLAUDE_CODE, Scope.PROJECT)
            user = config_file(Host.CLAUDE_CODE, Scope.USER)
            return [
                HostFile(host, user, CLAUDE_CODE, (local,), here),
                HostFile(host, project, CLAUDE_CODE, one, here),
                HostFile(host, user, CLAUDE_CODE, one),
            ]
        case "cursor":
            return [
                HostFile(host, config_file(Host.CURSOR, Scope.PROJECT), CURSOR, one, here),
                HostFile(host, config_file(Host.CURSOR, Scope.USER), CURSOR, one),
            ]
        case "vscode":
            servers = ((Host.VS_CODE.section,),)
            return [
                HostFile(host, config_file(Host.VS_CODE, Scope.PROJECT), VS_CODE, servers, here),
                HostFile(host, config_file(Host.VS_CODE, Scope.USER), VS_CODE, servers),
            ]
        case _:
            return []


def named_files(name: str) -> list[HostFile]:
    """The files that are there of a host, or the one file that is named.

    Raises `NotFoundError` where there is none.
    """
    if name in HOSTS:
        known = files_of(name)
        found = [file for file in known if file.path.is_file()]
        if not found:
            places = ", ".join(dict.fromkeys(str(file.path) for file in known))
            raise NotFoundError(f"{name} has no servers here: there is no {places}", hint="name the file instead")
        return found
    path = Path(name).expanduser().absolute()
    if not path.is_file():
        hint = did_you_mean(name, HOSTS) or f"name a file, or one of {', '.join(HOSTS)}"
        raise NotFoundError(f"there is no host and no file {name}", hint=hint)
    return _files_at(path)


def servers_in(file: HostFile) -> list[HostServer]:
    """The servers of a file; none where it has no section for them.

    Raises `ConfigurationError` with the place of what can't be read.
    """
    document = _document(file.path)
    for section in file.sections:
        found = _at(document, section)
        if found is None:
            continue
        if not is_object(found):
            raise ConfigurationError(f"{file.path}: {'.'.join(section)} is not an object", hint="mend the file")
        spoken = replace(file, dialect=VS_CODE) if file.dialect == ANY and section[-1] == "servers" else file
        return [HostServer(name, entry, spoken) for name, entry in found.items()]
    return []


def _files_at(path: Path) -> list[HostFile]:
    """A file that somebody names, with what its name and folder say of the host that it belongs to."""
    if path.name == "claude_desktop_config.json":
        return [HostFile("claude-desktop", path, LITERAL)]
    if path.name == ".mcp.json":
        return [HostFile("claude-code", path, CLAUDE_CODE, folder=path.parent)]
    if path.name == ".claude.json":
        local = (("projects", str(Path.cwd()), "mcpServers"),)
        return [HostFile("claude-code", path, CLAUDE_CODE, local), HostFile("claude-code", path, CLAUDE_CODE)]
    if path.parent.name == ".cursor":
        return [HostFile("cursor", path, CURSOR, folder=path.parent.parent)]
    if path.parent.name == ".vscode":
        return [HostFile("vscode", path, VS_CODE, folder=path.parent.parent)]
    return [HostFile(path.name, path)]


def _document(path: Path) -> dict[str, Any]:
    try:
        document: Any = json.loads(_plain(path.read_bytes().decode("utf-8-sig")) or "{}")
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ConfigurationError(f"{path}: {place} is not valid JSON: {error.msg}", hint="mend it there") from error
    except (ValueError, RecursionError) as error:  # not in UTF-8, an endless number, nested too deep
        raise ConfigurationError(f"{path} is not JSON: {error}", hint="name another file") from error
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"{path} can't be read: {words}", hint="check its permissions") from error
    if not is_object(document):
        raise ConfigurationError(f"{path} is JSON, but not an object", hint="name the file that has mcpServers")
    return document


def _plain(text: str) -> str:
    """JSON without comments and spare commas; every line stays where it was."""
    return _COMMAS.sub(_blanked, _COMMENTS.sub(_blanked, text)).strip()


def _blanked(match: re.Match[str]) -> str:
    spare = match["spare"]
    return match.group() if spare is None else _INK.sub(" ", spare)


def _at(document: Mapping[str, Any], section: Sequence[str]) -> Any:
    value: Any = document
    for key in section:
        value = value.get(key) if is_object(value) else None
    return value
