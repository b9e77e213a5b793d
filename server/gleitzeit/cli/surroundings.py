"""What this machine gives Gleitzeit: Python, a folder of its own, and hosts that know where it is."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from gleitzeit.cli.hosts.entries import is_gleitzeit
from gleitzeit.cli.hosts.files import HOSTS, HostServer, files_of, servers_in
from gleitzeit.cli.launcher import server_entry
from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.core.findings import Finding
from gleitzeit.core.graphical_path import GRAPHICAL_PATHS

OLDEST_PYTHON = (3, 11)

_FOLDERS = ("--from", "--config", "--directory", "--project")
_INSTALLED = ("claude-desktop", "claude-code")


def python_finding() -> Finding:
    """Whether this Python is one that Gleitzeit works with."""
    found = f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}"
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return Finding("Python", "ok", found)
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding("Python", "error", found, f"install Gleitzeit with Python {oldest} or newer")


def home_finding(home: Path) -> Finding:
    """Whether Gleitzeit's own folder can be written."""
    folder = next((folder for folder in (home, *home.parents) if folder.exists()), home)
    fix = "set GLEITZEIT_HOME to a folder that can be written"
    if not folder.is_dir():
        return Finding("home", "error", f"{home} can't be used: {folder} is not a folder", fix)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding("home", "error", f"{home} can't be used: {folder} can't be written", fix)
    return Finding("home", "ok", str(home) if folder == home else f"{home}, which is created when it is needed")


def installation_finding(path: str, platform: str = sys.platform) -> Finding:
    """Whether what `gleitzeit install` writes can be started by a host that was started from the desktop."""
    command = str(server_entry(None, {})["command"])
    if not os.access(command, os.X_OK):
        fix = "install Gleitzeit again, then `gleitzeit install claude-desktop`"
        return Finding("installation", "error", f"{command} can't be executed", fix)
    graphical = GRAPHICAL_PATHS.get(platform, path)
    names = {name: shutil.which(name, path=graphical) for name in ("gleitzeit-mcp", "uvx")}
    absent = [name for name, found in names.items() if found is None]
    told = f"hosts start {command}"
    if absent:
        told += f"; an entry with only {' or '.join(absent)} in it fails in a host that was started from the desktop"
    return Finding("installation", "ok", told)


def host_findings(path: str, platform: str = sys.platform) -> list[Finding]:
    """Whether the entries of Gleitzeit in the files of hosts lead to something that can be started."""
    graphical = GRAPHICAL_PATHS.get(platform, path)
    # One file may be that of several places.
    findings = dict.fromkeys(finding for host in HOSTS for finding in _host(host, graphical))
    if findings:
        return [*findings]
    return [
        Finding("hosts", "ok", "no host on this machine has an entry for Gleitzeit", "gleitzeit install claude-desktop")
    ]


def _host(host: str, path: str) -> Iterator[Finding]:
    for file in files_of(host):
        if not file.path.is_file():
            continue
        try:
            servers = servers_in(file)
        except ConfigurationError as error:
            yield Finding(host, "warning", error.message, error.hint)
            continue
        for server in servers:
            if is_gleitzeit(server.name, server.entry):
                yield _entry(server, path)


def _entry(server: HostServer, path: str) -> Finding:
    """One entry that starts Gleitzeit, or reaches it."""
    try:
        return _followed(server, path)
    except (ValueError, RuntimeError) as error:  # what no system takes for a path, or the home of nobody
        words = f'"{server.name}" in {server.file.path} cannot be followed: {error}'
        return Finding(server.file.host, "error", words, _again(server))


def _followed(server: HostServer, path: str) -> Finding:
    entry: Mapping[str, Any] = server.entry if is_object(server.entry) else {}
    where = f'"{server.name}" in {server.file.path}'
    command = entry.get("command")
    if not command:
        url = entry.get("url")
        missing = Finding(server.file.host, "error", f"{where} has no command", _again(server))
        return Finding(server.file.host, "ok", f"{where} reaches {url}") if url else missing
    program = Path(str(command)).expanduser()
    if program.name == command:
        return _bare(server, where, program.name, path)
    if not os.access(program, os.X_OK):
        return Finding(server.file.host, "error", f"{where} starts {program}, which is not there", _again(server))
    gone = _gone(entry)
    if gone is not None:
        return Finding(server.file.host, "error", f"{where} names {gone}, which is not there", _again(server))
    return Finding(server.file.host, "ok", f"{where} starts {program}")


def _bare(server: HostServer, where: str, program: str, path: str) -> Finding:
    found = shutil.which(program, path=path)
    if found is not None:
        return Finding(server.file.host, "ok", f"{where} starts {found}")
    message = f"{where} starts {program} without a folder, and a host started from the desktop may not find it"
    return Finding(server.file.host, "warning", message, _again(server))


def _gone(entry: Mapping[str, Any]) -> str | None:
    """A file or folder in the arguments that is not there any more."""
    arguments: Any = entry.get("args")
    words: Sequence[str] = [str(word) for word in arguments] if is_list(arguments) else []
    pairs = pairwise(words)
    named = (Path(value).expanduser() for option, value in pairs if option in _FOLDERS)
    return next((str(path) for path in named if path.is_absolute() and not path.exists()), None)


def _again(server: HostServer) -> str:
    host = server.file.host
    if host in _INSTALLED:
        return f"gleitzeit install {host} --name {server.name}"
    return "correct the entry: `gleitzeit install claude-desktop --print` shows one that works"
